// kinds.h: the end of a peer's program: the workloads of all kinds, and main.
#include "driver.h"

#define KIND u64
#include "workloads.h"
#undef KIND
#define KIND u32
#include "workloads.h"
#undef KIND
#define KIND str
#include "workloads.h"
#undef KIND
#define KIND wide
#include "workloads.h"
#undef KIND

int main(int argc, char **argv) {
    static const struct kind kinds[] = {
        {"u64", u64_run},
        {"u32", u32_run},
        {"str", str_run},
        {"wide", wide_run},
    };
    return drive(argc, argv, kinds, sizeof kinds / sizeof *kinds);
}
