/* Goes wrong: `bounds`, `trap`, `panic`, `recursion`, `exit`, `assert`, `memory`, `nothing` (NULL without an error). */
int crash(const char *how);
