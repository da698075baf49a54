# What the scripts that run other programs share: the allocators they compare,
# the launcher that measures a process, and tables.
