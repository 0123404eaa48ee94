/* The files that the compiler carries: runtime/, templates/ and libxsmm's notice, put into embedded.c at build time. */
#ifndef VITCC_CODEGEN_EMBEDDED_H
#define VITCC_CODEGEN_EMBEDDED_H

#include <stddef.h>

typedef struct embedded_file { const char *name; const unsigned char *bytes; size_t size; } embedded_file;   /* name: "runtime/team.h" */

extern const embedded_file embedded_files[];   /* by name */
extern const int embedded_count;

#endif
