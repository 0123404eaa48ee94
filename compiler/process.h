/* Other programs, run one at a time, without a shell. Between process_begin and process_end a signal that would end vitcc ends the child first, so
 * that the caller can tidy up. */
#ifndef VITCC_PROCESS_H
#define VITCC_PROCESS_H

#include <stdbool.h>

enum { PROCESS_TEXT = 8192 };

typedef struct process_result {
    int status;                  /* exit status; 128 + signal; -1: it did not start, errno says why */
    char text[PROCESS_TEXT];     /* the end of what it printed, on either stream */
} process_result;

void process_begin(void);
/* argv[0] is looked for on the path; argv ends with NULL. */
void process_run(const char *const *argv, process_result *result);
bool process_stopped(void);      /* a signal came */
void process_end(void);          /* the signals do what they did before, and one that came does it now */

#endif
