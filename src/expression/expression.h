/* The expressions of one node's configuration: found once, evaluated before each attempt.
 *
 *     struct expression_job *job = expression_job_new(expressions, inputs, &source, &error);
 *     if (job != NULL && expression_job_needs_script(job))   // send program and data to a runner, then
 *         expression_job_answer(job, results, &error);
 *     expression_job_take_inputs(job, &evaluated);
 *
 * A value that is exactly one expression keeps its type; one that is undefined leaves its member out (null in a list).
 * In other text null and undefined stand for nothing, objects and lists for their JSON. Only the configuration is
 * looked at, never what connections deliver: data from outside is not evaluated. Belongs to one thread. */
#pragma once
#include "expression/names.h"
#include "json/fields.h"

struct expressions;
struct expression_job;

/* NULL: there are none. Members that `fields` marks as code are left alone, and so are timeout, retry and critical. The
 * configuration is kept alive. */
struct expressions *expressions_new(const struct json *config, const struct field *fields);
void expressions_free(struct expressions *expressions);
bool expressions_need_script(const struct expressions *expressions); /* some are no plain paths or literals */

const struct expression_needs *expressions_needs(const struct expressions *expressions); /* what they refer to */

/* Whether the same inputs may give other values another time: JavaScript knows chance and the time; variables, secrets
 * and what is told of an execution change. */
bool expressions_may_change(const struct expressions *expressions);

/* Texts that are broken: they fail each evaluation. `field` is their path in the configuration. */
typedef void expression_problem_fn(void *user, const char *field, const char *message);
void expressions_each_problem(const struct expressions *expressions, expression_problem_fn *problem, void *user);

/* What JavaScript has to look at: calls `source_fn` for each expression that is no plain path. */
typedef void expression_each_fn(void *user, const char *field, const char *source, size_t len);
void expressions_each_script(const struct expressions *expressions, expression_each_fn *each, void *user);

/* Evaluates what needs no JavaScript. `inputs`: the effective inputs; members that are not the configuration's own came
 * over a connection. NULL with reterr: an expression failed. */
struct expression_job *expression_job_new(const struct expressions *expressions, const struct json *inputs,
                                          const struct expression_source *source, struct error *reterr);
void expression_job_free(struct expression_job *job);
bool expression_job_needs_script(const struct expression_job *job);
/* For the runner: a JSON array of sources, and the values of the names as a JSON object. */
void expression_job_program(const struct expression_job *job, struct buf *out);
void expression_job_data(const struct expression_job *job, const struct expression_source *source, struct buf *out);
/* The runner's answer: an array with one element for each source: {v: value}, {} when undefined, {e: {message}}. */
enum err expression_job_answer(struct expression_job *job, const struct json *results,
                               struct error *reterr) ERROR_MUST_CHECK;
/* There is no answer: the runner took too long, needed too much or died. Names the expression; of several, which are
 * sent together, the first and the last field. Returns the reason's code. */
enum err expression_job_fail(const struct expression_job *job, const struct error *reason,
                             struct error *reterr) ERROR_MUST_CHECK;
/* The evaluated inputs; once, when no script is needed any more. Yours. */
struct json *expression_job_take_inputs(struct expression_job *job);
