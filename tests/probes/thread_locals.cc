// Probes trap 17: destructors of C++ thread_local objects, those that they
// construct on the way, and those registered from TSD destructors (which run
// after all of them) allocate and free.
#include "expect.h"

#include <atomic>
#include <map>
#include <pthread.h>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> nlate;

struct Late {
    std::vector<std::string> names;
    Late() : names(20, std::string(200, 'n')) {
    }
    ~Late() {
        names.push_back("another");
        std::map<int, std::string> map;
        for (int i = 0; i < 50; i++) {
            map[i] = std::string(std::size_t(i) * 40, 'm');
        }
        nlate++;
    }
};

struct First {
    void *block = malloc(5000);
    ~First();
};

static thread_local First first;

First::~First() {
    free(block);
    // Constructed only now, and so destroyed after the rest.
    static thread_local Late second;
    expect(second.names.size() == 20, "late thread_local is not constructed");
    probe_workout();
}

static pthread_key_t key;

static void tsd_destructor(void *p) {
    free(p);
    // C++ may register a thread_local even now; it is then destroyed never or
    // later, but must not break anything.
    Late on_stack;
    probe_workout();
}

int main() {
    expect(pthread_key_create(&key, tsd_destructor) == 0, "key");
    for (int i = 0; i < 200; i++) {
        std::thread thread([] {
            expect(first.block != nullptr, "no block");
            pthread_setspecific(key, malloc(100));
        });
        thread.join();
    }
    // Each thread destroys second and on_stack.
    expect(nlate == 400, "%d destructors ran, not 400", int(nlate));
    probe_sound();
    return 0;
}
