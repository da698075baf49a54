// A plugin with a TLS block too large for the static area, so that ld.so takes
// it from malloc for each thread that touches it.
static _Thread_local char block[100000];

char *plugin_tls(void) {
    return block;
}
