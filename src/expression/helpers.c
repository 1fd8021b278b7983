/* The list of names and helpers. */
#include "expression/helpers.h"

#include <string.h>

static const struct {
    const char *signature, *help; /* a name without parentheses is no function */
} helpers[] = {
    {"input", "What reached the node: the value when its connections lead to one input, else an object input → value."},
    {"nodes", "Outputs of earlier nodes: nodes.id.output, nodes[\"id\"].output; nodes.id.error of one that failed."},
    {"execution", "id, flowId, trigger, startedAt, attempt and input of this execution."},
    {"flow", "id, name and version of this flow."},
    {"variables", "Variables of the flow and global ones: variables.NAME."},
    {"secrets", "Secrets of the flow and global ones: secrets.NAME; hidden wherever they would show."},
    {"item", "Inside a for-each, and in code of mode each: the item."},
    {"index", "Inside a for-each, and in code of mode each: the number of the item, from 0."},
    {"now", "The moment of the evaluation, a Date."},
    {"$date.now()", "The present moment as a Date."},
    {"$date.parse(text, zone)", "A Date from an ISO text; without an offset it is a wall-clock time of the zone."},
    {"$date.format(date, pattern, zone, locale)", "Text such as dd.MM.yyyy HH:mm of a date, in a zone and a language."},
    {"$date.add(date, amount, unit, zone)", "A later Date; amount may be an object {days: 1, hours: 2}."},
    {"$date.subtract(date, amount, unit, zone)", "An earlier Date."},
    {"$date.diff(from, to, unit, zone)", "How much time lies between two dates, in milliseconds or the unit."},
    {"$date.startOf(date, unit, zone)", "The first moment of the date's day, week, month, quarter or year."},
    {"$date.endOf(date, unit, zone)", "The last millisecond of the date's day, week, month, quarter or year."},
    {"$date.parts(date, zone)", "An object year, month, day, hour, minute, second, millisecond, weekday, offset."},
    {"$date.isValid(value)", "Whether it is a date."},
    {"$text.upper(text)", "In capitals."},
    {"$text.lower(text)", "In small letters."},
    {"$text.trim(text)", "Without white space at the ends."},
    {"$text.capitalize(text)", "With a capital first letter."},
    {"$text.title(text)", "With a capital first letter in each word."},
    {"$text.slug(text)", "Small letters and digits with hyphens, for addresses."},
    {"$text.camel(text)", "As camelCase."},
    {"$text.snake(text)", "As snake_case."},
    {"$text.kebab(text)", "As kebab-case."},
    {"$text.words(text)", "A list of its words."},
    {"$text.lines(text)", "A list of its lines."},
    {"$text.truncate(text, length, end)",
     "At most so many characters, the last of them an ellipsis when it was longer."},
    {"$text.stripHtml(text)", "Without HTML tags."},
    {"$text.escapeHtml(text)", "With &, <, >, \" and ' escaped for HTML."},
    {"$text.removeAccents(text)", "Without accents."},
    {"$hash.md5(text, encoding)", "MD5; hex, or base64 or base64url."},
    {"$hash.sha1(text, encoding)", "SHA-1; hex, or base64 or base64url."},
    {"$hash.sha256(text, encoding)", "SHA-256; hex, or base64 or base64url."},
    {"$hash.sha384(text, encoding)", "SHA-384; hex, or base64 or base64url."},
    {"$hash.sha512(text, encoding)", "SHA-512; hex, or base64 or base64url."},
    {"$hash.hmac(algorithm, key, text, encoding)", "HMAC with md5, sha1, sha256, sha384 or sha512."},
    {"$encode.base64(text)", "Base64 of the text's UTF-8."},
    {"$encode.fromBase64(text)", "The text of a base64."},
    {"$encode.base64url(text)", "Base64 for addresses, without padding."},
    {"$encode.fromBase64url(text)", "The text of such a base64."},
    {"$encode.hex(text)", "Hexadecimal digits of the text's UTF-8."},
    {"$encode.fromHex(text)", "The text of hexadecimal digits."},
    {"$encode.url(text)", "Escaped for a part of an address."},
    {"$encode.fromUrl(text)", "The text of what is escaped so."},
    {"$encode.query(object)", "name=value&… of an object; lists repeat the name."},
    {"$encode.json(value, indent)", "The JSON text of a value."},
    {"$encode.fromJson(text)", "The value of a JSON text."},
    {"$encode.html(text)", "The same as $text.escapeHtml."},
};

struct json *expression_helpers(void)
{
    struct json *list = json_array_new();
    for (size_t i = 0; i < sizeof helpers / sizeof *helpers; i++) {
        const char *signature = helpers[i].signature;
        size_t end = strcspn(signature, "(");
        struct json *helper = json_object_new();
        json_set(helper, "name", json_string_new_n(signature, end));
        json_set_str(helper, "kind", signature[end] == '\0' ? "name" : "function");
        json_set_str(helper, "signature", signature);
        json_set_str(helper, "help", helpers[i].help);
        json_push(list, helper);
    }
    return list;
}
