/* Finding the expressions of a configuration. */
#include "expression/expression_int.h"

#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finder {
    struct expressions *set;
    struct place_step steps[LIMIT_JSON_DEPTH + 2];
    unsigned depth;
    unsigned place_cap, source_cap;
};

/* config.a[0].b as a path of the configuration: a[0].b */
static char *field_of(const struct finder *finder, struct arena *arena)
{
    AUTO_BUF struct buf path;
    buf_init(&path, 150);
    for (unsigned i = 0; i < finder->depth; i++)
        if (finder->steps[i].key == NULL)
            buf_printf(&path, "[%zu]", finder->steps[i].index);
        else
            buf_printf(&path, "%s%s", i > 0 ? "." : "", finder->steps[i].key);
    return arena_dup(arena, buf_str(&path));
}

static struct source *source_add(struct finder *finder)
{
    struct expressions *set = finder->set;
    if (set->source_count == finder->source_cap) {
        finder->source_cap = finder->source_cap == 0 ? 4 : finder->source_cap * 2;
        set->sources = mem_resize(set->sources, finder->source_cap * sizeof *set->sources);
    }
    struct source *source = &set->sources[set->source_count++];
    *source = (struct source){0};
    return source;
}

static struct place *place_add(struct finder *finder)
{
    struct expressions *set = finder->set;
    if (set->place_count == finder->place_cap) {
        finder->place_cap = finder->place_cap == 0 ? 4 : finder->place_cap * 2;
        set->places = mem_resize(set->places, finder->place_cap * sizeof *set->places);
    }
    struct place *place = &set->places[set->place_count++];
    *place = (struct place){.depth = finder->depth, .field = field_of(finder, &set->arena)};
    place->steps = arena_alloc(&set->arena, (finder->depth + 1) * sizeof *place->steps);
    memcpy(place->steps, finder->steps, finder->depth * sizeof *place->steps);
    return place;
}

static void broken(struct finder *finder, struct place *place, const struct error *error)
{
    place->problem = arena_dup(&finder->set->arena, error->message);
    place->mixed = (struct mixed){0};
}

static void look_at_text(struct finder *finder, const char *text, size_t len)
{
    struct expressions *set = finder->set;
    struct error error;
    if (!mixed_is_any(text, len))
        return;
    struct place *place = place_add(finder);
    place->first_source = set->source_count;
    if (mixed_parse(text, len, &set->arena, &place->mixed, &error) != ERR_OK) {
        broken(finder, place, &error);
        return;
    }
    if (set->source_count + place->mixed.expressions > LIMIT_NODE_EXPRESSIONS) {
        (void)error_set(&error, ERR_VALIDATION, NULL, "The configuration has more than %d expressions.",
                        LIMIT_NODE_EXPRESSIONS);
        broken(finder, place, &error);
        return;
    }
    for (unsigned i = 0; i < place->mixed.count; i++) {
        const struct mixed_part *part = &place->mixed.parts[i];
        if (!part->is_expression)
            continue;
        struct source *source = source_add(finder);
        source->text = part->text;
        source->len = part->len;
        source->is_path = path_parse(part->text, part->len, &set->arena, &source->path);
        set->need_script |= !source->is_path;
        expression_needs_add(&set->needs, source->text, source->len);
    }
}

static void look_at(struct finder *finder, const struct json *value, const struct field *fields);

static void look_at_members(struct finder *finder, const struct json *object, const struct field *fields)
{
    struct json_iter member;
    JSON_EACH(object, member)
    {
        const struct field *field = fields_find(fields, member.key);
        if (field != NULL && field->code)
            continue;
        finder->steps[finder->depth++] = (struct place_step){.key = member.key};
        look_at(finder, member.value, field == NULL ? NULL : field->fields);
        finder->depth--;
    }
}

static void look_at(struct finder *finder, const struct json *value, const struct field *fields)
{
    if (finder->depth > LIMIT_JSON_DEPTH)
        return; /* values from outside are never that deep */
    if (json_is(value, JSON_STRING)) {
        look_at_text(finder, json_as_str(value), json_as_str_len(value));
    } else if (json_is(value, JSON_OBJECT)) {
        look_at_members(finder, value, fields);
    } else if (json_is(value, JSON_ARRAY)) {
        for (size_t i = 0, n = json_count(value); i < n; i++) {
            finder->steps[finder->depth++] = (struct place_step){.index = i};
            look_at(finder, json_at(value, i), fields);
            finder->depth--;
        }
    }
}

static bool is_engine_member(const char *name)
{
    return strcmp(name, "timeout") == 0 || strcmp(name, "retry") == 0 || strcmp(name, "critical") == 0;
}

/* Places of one member of the configuration stand together. */
static void look_at_config(struct finder *finder, const struct json *config, const struct field *fields)
{
    struct json_iter member;
    JSON_EACH(config, member)
    {
        const struct field *field = fields_find(fields, member.key);
        if (is_engine_member(member.key) || (field != NULL && field->code))
            continue;
        finder->steps[0] = (struct place_step){.key = member.key};
        finder->depth = 1;
        look_at(finder, member.value, field == NULL ? NULL : field->fields);
    }
}

struct expressions *expressions_new(const struct json *config, const struct field *fields)
{
    struct expressions *set = mem_alloc(sizeof *set);
    struct finder *finder = mem_alloc(sizeof *finder);
    arena_init(&set->arena);
    set->config = json_ref(config);
    *finder = (struct finder){.set = set};
    look_at_config(finder, config, fields);
    free(finder);
    if (set->place_count > 0)
        return set;
    expressions_free(set);
    return NULL;
}

void expressions_free(struct expressions *set)
{
    if (set == NULL)
        return;
    for (unsigned i = 0; i < set->source_count; i++)
        if (set->sources[i].is_path)
            path_done(&set->sources[i].path);
    expression_needs_done(&set->needs);
    free(set->places);
    free(set->sources);
    json_unref(set->config);
    arena_done(&set->arena);
    free(set);
}

bool expressions_need_script(const struct expressions *set)
{
    return set != NULL && set->need_script;
}

const struct expression_needs *expressions_needs(const struct expressions *set)
{
    static const struct expression_needs nothing = {0};
    return set == NULL ? &nothing : &set->needs;
}

bool expressions_may_change(const struct expressions *set)
{
    static const enum expression_name changing[] = {NAME_NOW, NAME_EXECUTION, NAME_VARIABLES, NAME_SECRETS};
    bool may = expressions_need_script(set);
    for (size_t i = 0; set != NULL && i < sizeof changing / sizeof *changing; i++)
        may |= set->needs.used[changing[i]];
    return may;
}

void expressions_each_problem(const struct expressions *set, expression_problem_fn *problem, void *user)
{
    for (unsigned i = 0; set != NULL && i < set->place_count; i++)
        if (set->places[i].problem != NULL)
            problem(user, set->places[i].field, set->places[i].problem);
}

void expressions_each_script(const struct expressions *set, expression_each_fn *each, void *user)
{
    for (unsigned i = 0; set != NULL && i < set->place_count; i++) {
        const struct place *place = &set->places[i];
        for (unsigned k = 0; k < place->mixed.expressions; k++) {
            const struct source *source = &set->sources[place->first_source + k];
            if (!source->is_path)
                each(user, place->field, source->text, source->len);
        }
    }
}
