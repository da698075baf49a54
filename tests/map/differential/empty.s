// With an assembly file in the package the compiler accepts functions without
// bodies, which //go:linkname finds in the runtime.
