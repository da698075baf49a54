// helper_large.c: thread-local memory of the program's, for helper.c.
__thread char large[4 << 20];
