// The world of expressions and code: frozen built-ins, the helpers, and what the runner calls.
// Evaluated once in each realm; gives {dispatch, take}. Whatever runs here later may change nothing that another call
// sees: no global, no prototype, no helper can be written to, and what hides state (weak references, shared memory,
// RegExp.$1) is gone.
(function (native, limits) {
    'use strict';
    const G = globalThis;
    const { freeze, defineProperty, getOwnPropertyDescriptor, getPrototypeOf, keys, hasOwn } = Object;
    const { ownKeys, apply } = Reflect;
    const { parse, stringify } = JSON;
    const MapOf = Map, SetOf = Set, DateOf = Date, ErrorOf = Error, TypeErrorOf = TypeError, RangeErrorOf = RangeError;
    const FunctionOf = Function, AsyncFunctionOf = (async () => {}).constructor, PromiseOf = Promise, ProxyOf = Proxy;
    const Format = Intl.DateTimeFormat, NumberOf = Number, StringOf = String, ArrayOf = Array, MathOf = Math;
    const { isArray } = Array, { isFinite, isInteger } = Number;
    const encodeURIOf = encodeURIComponent, decodeURIOf = decodeURIComponent;

    // ---- helpers

    const text = (value) => (typeof value === 'string' ? value : value === null || value === undefined ? '' :
        typeof value === 'object' && !(value instanceof DateOf) ? stringify(value) : value instanceof DateOf ?
            value.toISOString() : StringOf(value));

    const zones = new MapOf();
    function zoneFormat(zone) {
        let format = zones.get(zone);
        if (format === undefined) {
            try {
                format = new Format('en-u-ca-iso8601', {
                    timeZone: zone, hourCycle: 'h23', era: 'short', year: 'numeric', month: 'numeric', day: 'numeric',
                    hour: 'numeric', minute: 'numeric', second: 'numeric'
                });
            } catch (error) {
                throw new RangeErrorOf(`There is no time zone "${zone}"; use a name such as Europe/Madrid.`);
            }
            if (zones.size > 200)
                zones.clear();
            zones.set(zone, format);
        }
        return format;
    }

    function wall(ms, zone) {
        const got = { millisecond: ((ms % 1000) + 1000) % 1000 };
        for (const part of zoneFormat(zone).formatToParts(ms))
            if (part.type !== 'literal')
                got[part.type] = part.type === 'era' ? part.value : NumberOf(part.value);
        if (got.era === 'BC' || got.era === 'B')
            got.year = 1 - got.year;
        return got;
    }

    const utc = (p) => {
        const date = new DateOf(0);
        date.setUTCFullYear(p.year, p.month - 1, p.day);
        date.setUTCHours(p.hour, p.minute, p.second, p.millisecond);
        return date.getTime();
    };
    const offsetAt = (ms, zone) => utc(wall(ms, zone)) - ms;

    // The earlier instant of a wall-clock time that comes twice; in a gap the time moves on by the gap.
    function fromWall(p, zone) {
        const local = utc(p);
        if (zone === 'UTC')
            return local;
        const before = offsetAt(local - 86400000, zone), after = offsetAt(local + 86400000, zone);
        const first = local - MathOf.max(before, after), second = local - MathOf.min(before, after);
        if (offsetAt(first, zone) === local - first)
            return first;
        if (offsetAt(second, zone) === local - second)
            return second;
        return local - before;
    }

    const isoDate = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?$/i;
    function parseDate(value, zone = 'UTC') {
        if (value instanceof DateOf || typeof value === 'number')
            return check(new DateOf(value), value);
        const match = typeof value === 'string' ? apply(RegExpExec, isoDate, [value.trim()]) : null;
        if (match === null)
            throw new RangeErrorOf(`"${text(value)}" is no date; use 2025-12-31 or 2025-12-31T23:59:59 with or without a zone.`);
        const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '0', offset] = match;
        const p = {
            year: NumberOf(year), month: NumberOf(month), day: NumberOf(day), hour: NumberOf(hour),
            minute: NumberOf(minute), second: NumberOf(second), millisecond: NumberOf(fraction.padEnd(3, '0').slice(0, 3))
        };
        const local = utc(p), back = new DateOf(local);
        if (p.month !== back.getUTCMonth() + 1 || p.day !== back.getUTCDate() || p.hour > 23 || p.minute > 59 || p.second > 59)
            throw new RangeErrorOf(`"${value}" is no date of the calendar.`);
        if (offset === undefined)
            return new DateOf(fromWall(p, zone));
        if (offset.toUpperCase() === 'Z')
            return new DateOf(local);
        const minutes = NumberOf(offset.slice(1, 3)) * 60 + NumberOf(offset.slice(-2));
        return new DateOf(local - (offset[0] === '-' ? -1 : 1) * minutes * 60000);
    }
    const RegExpExec = RegExp.prototype.exec;
    function check(date, from) {
        if (!isFinite(date.getTime()))
            throw new RangeErrorOf(`"${StringOf(from)}" is no date.`);
        return date;
    }

    const fixed = { millisecond: 1, second: 1000, minute: 60000, hour: 3600000 };
    const units = ['millisecond', 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'];
    function unitOf(name) {
        const unit = StringOf(name).toLowerCase().replace(/s$/, '');
        if (!units.includes(unit))
            throw new RangeErrorOf(`"${name}" is no unit of time; use one of ${units.join(', ')}.`);
        return unit;
    }
    const monthDays = (year, month) => new DateOf(DateOf.UTC(2000 + (year % 400), month, 0)).getUTCDate();

    function add(value, amount, unit, zone = 'UTC') {
        let date = parseDate(value, zone);
        if (typeof amount === 'object' && amount !== null) {
            for (const name of keys(amount))
                date = add(date, amount[name], name, unit === undefined ? 'UTC' : unit);
            return date;
        }
        unit = unitOf(unit);
        if (!isFinite(amount))
            throw new RangeErrorOf(`The amount "${text(amount)}" is no number.`);
        if (fixed[unit] !== undefined)
            return check(new DateOf(date.getTime() + amount * fixed[unit]), amount);
        if (!isInteger(amount))
            throw new RangeErrorOf(`Only whole ${unit}s can be added, not ${amount}.`);
        const p = wall(date.getTime(), zone);
        if (unit === 'day' || unit === 'week') {
            const moved = new DateOf(utc({ ...p, hour: 0, minute: 0, second: 0, millisecond: 0 }) +
                amount * (unit === 'week' ? 7 : 1) * 86400000);
            check(moved, amount);
            p.year = moved.getUTCFullYear();
            p.month = moved.getUTCMonth() + 1;
            p.day = moved.getUTCDate();
        } else {
            const months = p.year * 12 + p.month - 1 + amount * { month: 1, quarter: 3, year: 12 }[unit];
            p.year = MathOf.floor(months / 12);
            p.month = months - p.year * 12 + 1;
            p.day = MathOf.min(p.day, monthDays(((p.year % 400) + 400) % 400, p.month));
        }
        return check(new DateOf(fromWall(p, zone)), amount);
    }

    function startOf(value, unit, zone = 'UTC') {
        const date = parseDate(value, zone), name = unitOf(unit);
        const p = wall(date.getTime(), zone), rank = units.indexOf(name);
        p.millisecond = 0;
        if (rank >= 2)
            p.second = 0;
        if (rank >= 3)
            p.minute = 0;
        if (rank >= 4)
            p.hour = 0;
        if (name === 'week') {
            const day = new DateOf(utc(p) - ((new DateOf(utc(p)).getUTCDay() + 6) % 7) * 86400000);
            p.year = day.getUTCFullYear();
            p.month = day.getUTCMonth() + 1;
            p.day = day.getUTCDate();
        }
        if (rank >= 6)
            p.day = 1;
        if (name === 'quarter')
            p.month -= (p.month - 1) % 3;
        if (name === 'year')
            p.month = 1;
        if (name === 'millisecond')
            return date;
        if (rank < 4) // within the hour no clock changes by less than the unit
            return new DateOf(date.getTime() - (utc(wall(date.getTime(), zone)) + ((date.getTime() % 1000 + 1000) % 1000 -
                wall(date.getTime(), zone).millisecond) - utc(p)));
        return new DateOf(fromWall(p, zone));
    }

    function diff(from, to, unit = 'millisecond', zone = 'UTC') {
        const a = parseDate(from, zone), b = parseDate(to, zone), name = unitOf(unit);
        const ms = b.getTime() - a.getTime();
        if (fixed[name] !== undefined)
            return ms / fixed[name];
        if (name === 'day' || name === 'week')
            return (ms + offsetAt(b.getTime(), zone) - offsetAt(a.getTime(), zone)) / 86400000 / (name === 'week' ? 7 : 1);
        const p = wall(a.getTime(), zone), q = wall(b.getTime(), zone);
        let months = (q.year - p.year) * 12 + q.month - p.month;
        if (months > 0 && add(a, months, 'month', zone) > b)
            months--;
        else if (months < 0 && add(a, months, 'month', zone) < b)
            months++;
        return MathOf.trunc(months / { month: 1, quarter: 3, year: 12 }[name]);
    }

    function offsetText(ms, zone) {
        const minutes = MathOf.round(offsetAt(ms, zone) / 60000), size = MathOf.abs(minutes);
        return (minutes < 0 ? '-' : '+') + pad(MathOf.floor(size / 60), 2) + ':' + pad(size % 60, 2);
    }
    const pad = (number, width) => (number < 0 ? '-' : '') + StringOf(MathOf.abs(number)).padStart(width, '0');
    const tokens = /'((?:[^']|'')*)'|yyyy|yy|MMMM|MMM|MM|M|dd|d|EEEE|EEE|HH|H|hh|h|mm|m|ss|s|SSS|a|XXX|Q|D/g;
    function format(value, pattern, zone = 'UTC', locale = 'en') {
        const date = parseDate(value, zone), ms = date.getTime(), p = wall(ms, zone);
        if (pattern === undefined)
            pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX";
        const named = (options) => new Format(locale, { timeZone: zone, ...options }).format(ms);
        return StringOf(pattern).replace(tokens, (token, quoted) => {
            switch (token) {
            case 'yyyy': return pad(p.year, 4);
            case 'yy': return pad(((p.year % 100) + 100) % 100, 2);
            case 'MMMM': return named({ month: 'long' });
            case 'MMM': return named({ month: 'short' });
            case 'MM': return pad(p.month, 2);
            case 'M': return StringOf(p.month);
            case 'dd': return pad(p.day, 2);
            case 'd': return StringOf(p.day);
            case 'EEEE': return named({ weekday: 'long' });
            case 'EEE': return named({ weekday: 'short' });
            case 'HH': return pad(p.hour, 2);
            case 'H': return StringOf(p.hour);
            case 'hh': return pad((p.hour + 11) % 12 + 1, 2);
            case 'h': return StringOf((p.hour + 11) % 12 + 1);
            case 'mm': return pad(p.minute, 2);
            case 'm': return StringOf(p.minute);
            case 'ss': return pad(p.second, 2);
            case 's': return StringOf(p.second);
            case 'SSS': return pad(p.millisecond, 3);
            case 'a': return p.hour < 12 ? 'AM' : 'PM';
            case 'XXX': return zone === 'UTC' ? 'Z' : offsetText(ms, zone);
            case 'Q': return StringOf(MathOf.floor((p.month + 2) / 3));
            case 'D': return StringOf(MathOf.round((utc({ ...p, hour: 0, minute: 0, second: 0, millisecond: 0 }) -
                utc({ year: p.year, month: 1, day: 1, hour: 0, minute: 0, second: 0, millisecond: 0 })) / 86400000) + 1);
            default: return quoted === '' ? "'" : quoted.replaceAll("''", "'");
            }
        });
    }

    const $date = {
        now: () => new DateOf(), parse: parseDate, format, add, diff, startOf,
        subtract: (value, amount, unit, zone) => (typeof amount === 'object' && amount !== null ?
            add(value, Object.fromEntries(Object.entries(amount).map(([name, n]) => [name, -n])), unit) :
            add(value, -amount, unit, zone)),
        endOf: (value, unit, zone = 'UTC') => new DateOf(startOf(add(startOf(value, unit, zone), 1, unit, zone), unit, zone).getTime() - 1),
        parts: (value, zone = 'UTC') => {
            const ms = parseDate(value, zone).getTime(), p = wall(ms, zone);
            return {
                year: p.year, month: p.month, day: p.day, hour: p.hour, minute: p.minute, second: p.second,
                millisecond: p.millisecond, weekday: (new DateOf(utc(p)).getUTCDay() + 6) % 7 + 1, offset: offsetText(ms, zone)
            };
        },
        isValid: (value) => {
            try {
                parseDate(value);
                return true;
            } catch (error) {
                return false;
            }
        }
    };

    const words = (value) => text(value).normalize('NFD').replace(/\p{M}+/gu, '').replace(/([\p{Ll}\d])(\p{Lu})/gu, '$1 $2')
        .split(/[^\p{L}\d]+/u).filter((word) => word !== '');
    const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
    const htmlSigns = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
    const $text = {
        upper: (value) => text(value).toUpperCase(),
        lower: (value) => text(value).toLowerCase(),
        trim: (value) => text(value).trim(),
        capitalize: (value) => capital(text(value)),
        title: (value) => text(value).replace(/\p{L}[\p{L}\p{M}'’]*/gu, (word) => capital(word.toLowerCase())),
        slug: (value) => words(value).join('-').toLowerCase(),
        camel: (value) => words(value).map((word, i) => (i === 0 ? word.toLowerCase() : capital(word.toLowerCase()))).join(''),
        snake: (value) => words(value).join('_').toLowerCase(),
        kebab: (value) => words(value).join('-').toLowerCase(),
        words: (value) => text(value).split(/\s+/).filter((word) => word !== ''),
        lines: (value) => text(value).split(/\r\n|\r|\n/),
        truncate: (value, length, end = '…') => {
            const signs = [...text(value)];
            return signs.length <= length ? signs.join('') : signs.slice(0, MathOf.max(0, length - [...end].length)).join('') + end;
        },
        stripHtml: (value) => text(value).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ').trim(),
        escapeHtml: (value) => text(value).replace(/[&<>"']/g, (sign) => htmlSigns[sign]),
        removeAccents: (value) => text(value).normalize('NFD').replace(/\p{M}+/gu, '').normalize('NFC')
    };

    const algorithms = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'], encodings = ['hex', 'base64', 'base64url'];
    function encodingOf(encoding) {
        if (!encodings.includes(encoding))
            throw new RangeErrorOf(`"${text(encoding)}" is no encoding of a hash; use one of ${encodings.join(', ')}.`);
        return encoding;
    }
    const $hash = {
        hmac: (algorithm, key, value, encoding = 'hex') => {
            if (!algorithms.includes(algorithm))
                throw new RangeErrorOf(`"${text(algorithm)}" is no hash; use one of ${algorithms.join(', ')}.`);
            return native('hmac', algorithm + ' ' + encodingOf(encoding), text(value), text(key));
        }
    };
    for (const algorithm of algorithms)
        $hash[algorithm] = (value, encoding = 'hex') => native('hash', algorithm + ' ' + encodingOf(encoding), text(value));
    const decoded = (kind, value) => {
        const result = native('decode', kind, text(value));
        if (typeof result !== 'string')
            throw new RangeErrorOf(`The text is no ${kind} of UTF-8 text.`);
        return result;
    };
    const $encode = {
        base64: (value) => native('encode', 'base64', text(value)),
        fromBase64: (value) => decoded('base64', value),
        base64url: (value) => native('encode', 'base64url', text(value)),
        fromBase64url: (value) => decoded('base64url', value),
        hex: (value) => native('encode', 'hex', text(value)),
        fromHex: (value) => decoded('hex', value),
        url: (value) => encodeURIOf(text(value)),
        fromUrl: (value) => decodeURIOf(text(value)),
        query: (object) => keys(object).filter((key) => object[key] !== undefined && object[key] !== null)
            .flatMap((key) => (isArray(object[key]) ? object[key] : [object[key]])
                .map((value) => encodeURIOf(key) + '=' + encodeURIOf(text(value)))).join('&'),
        json: (value, indent) => stringify(value, null, indent),
        fromJson: (value) => parse(text(value)),
        html: $text.escapeHtml
    };

    // ---- console

    let lines = [], lost = 0;
    function show(value) {
        if (typeof value === 'string')
            return value;
        if (value instanceof ErrorOf)
            return `${value.name}: ${value.message}`;
        try {
            const shown = typeof value === 'object' && value !== null ? stringify(value) : undefined;
            return shown === undefined ? StringOf(value) : shown;
        } catch (error) {
            return '[a value that cannot be shown]';
        }
    }
    function log(level, values) {
        if (lines.length >= limits.lines) {
            lost++;
            return;
        }
        let line = '';
        for (let i = 0; i < values.length && line.length <= limits.line; i++)
            line += (i > 0 ? ' ' : '') + show(values[i]);
        lines.push([level, line.length > limits.line ? line.slice(0, limits.line) : line]);
    }
    const console = {};
    for (const [name, level] of [['log', 'info'], ['info', 'info'], ['debug', 'debug'], ['trace', 'debug'], ['warn', 'warn'], ['error', 'error']])
        console[name] = (...values) => log(level, values);

    // ---- freezing

    function intrinsics() {
        const gen = function* () {}, asyncGen = async function* () {};
        const hidden = [gen, asyncGen, async () => {}, gen(), asyncGen(), [][Symbol.iterator](), ''[Symbol.iterator](),
            new MapOf()[Symbol.iterator](), new SetOf()[Symbol.iterator](), 'a'.matchAll(/a/g), [].values().map((x) => x),
            Iterator.from({ next() { return { done: true }; } }), new Intl.Segmenter().segment('a'),
            new Intl.Segmenter().segment('a')[Symbol.iterator](), new Int8Array()[Symbol.iterator](),
            getOwnPropertyDescriptor((function () { return arguments; })(), 'callee').get];
        const found = new SetOf(), todo = [G, $date, $text, $hash, $encode, console];
        for (const object of hidden)
            todo.push(typeof object === 'function' ? object : getPrototypeOf(object));
        while (todo.length > 0) {
            const object = todo.pop();
            if ((typeof object !== 'object' && typeof object !== 'function') || object === null || found.has(object))
                continue;
            found.add(object);
            todo.push(getPrototypeOf(object));
            for (const key of ownKeys(object)) {
                const property = getOwnPropertyDescriptor(object, key);
                todo.push(property.value, property.get, property.set);
            }
        }
        return found;
    }

    // A frozen prototype would forbid `error.name = …` or `record.constructor = …` on the objects below it; an accessor
    // in its place lets them have members of their own.
    function yieldTo(prototype, key) {
        const property = getOwnPropertyDescriptor(prototype, key);
        if (property === undefined || !property.configurable || !('value' in property))
            return;
        const value = property.value;
        const accessor = {
            get() { return value; },
            set(own) {
                if (this === prototype)
                    throw new TypeErrorOf('The built-in objects cannot be changed.');
                defineProperty(this, key, { value: own, writable: true, enumerable: true, configurable: true });
            }
        };
        freeze(accessor.get);
        freeze(accessor.set);
        defineProperty(prototype, key, { get: accessor.get, set: accessor.set, enumerable: property.enumerable });
    }

    function harden() {
        for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry'])
            delete G[name];
        for (const key of ownKeys(RegExp)) // RegExp.$1 and the like remember the last match
            if (!['length', 'name', 'prototype', 'escape', Symbol.species].includes(key))
                delete RegExp[key];
        defineProperty(G, 'console', { value: console, writable: true, configurable: true });
        const all = intrinsics();
        for (const key of ownKeys(Object.prototype))
            yieldTo(Object.prototype, key);
        for (const object of all) {
            if (typeof object !== 'function' || typeof object.prototype !== 'object' || object.prototype === null)
                continue;
            if (object === ErrorOf || object.prototype instanceof ErrorOf)
                for (const key of ownKeys(object.prototype))
                    yieldTo(object.prototype, key);
            else if (object !== Object && object !== ArrayOf && object !== PromiseOf && object !== RegExp)
                for (const key of ['constructor', 'toString', 'valueOf', 'toLocaleString', 'toJSON', 'name'])
                    yieldTo(object.prototype, key);
        }
        yieldTo(ArrayOf.prototype, 'toString');
        for (const object of all)
            freeze(object);
    }
    harden();

    // ---- what the runner calls

    const names = ['input', 'nodes', 'execution', 'flow', 'variables', 'secrets', 'item', 'index', 'now', '$date', '$text',
        '$hash', '$encode'];
    const cache = new MapOf();
    function compiled(program, make) {
        let made = cache.get(program);
        if (made === undefined) {
            made = make();
            if (cache.size >= limits.programs)
                cache.clear();
            cache.set(program, made);
        }
        return made;
    }

    // Lines of the source: the body of a function made from text begins at the third line.
    function describe(error, before) {
        const told = { message: 'It threw a value that cannot be shown.' };
        try {
            if (typeof error !== 'object' || error === null) {
                told.message = 'It threw ' + show(error) + '.';
                return told;
            }
            const name = show(error.name), message = show(error.message);
            told.message = error instanceof ErrorOf && name !== 'Error' ? `${name}: ${message}` : error instanceof ErrorOf ?
                message : show(error);
            if (told.message.length > 2000)
                told.message = told.message.slice(0, 2000);
            if (message === 'Out of memory')
                told.limit = true;
            if (error instanceof ErrorOf && before !== undefined && error.sourceURL !== 'caudal:prelude' &&
                typeof error.line === 'number' && error.line > before)
                told.line = error.line - before;
        } catch (other) {
            // what was thrown throws itself
        }
        return told;
    }

    function finish(body) {
        if (body.length > limits.output)
            body = stringify({ e: { limit: true, message: `The result has more than ${limits.output} characters of JSON.` } });
        if (lost > 0)
            lines.push(['warn', `${lost} more lines are left out.`]);
        const told = lines.length > 0 ? stringify(lines) : '';
        lines = [];
        lost = 0;
        return told + '\n' + body;
    }

    // A secret that is not there must not go out as "undefined". Those that a text names are there (names.c).
    const secretOf = freeze({
        get(secrets, name) {
            if (hasOwn(secrets, name))
                return secrets[name];
            if (typeof name === 'symbol' || name === 'toJSON')
                return undefined;
            throw new ErrorOf(`There is no secret "${name}" for this flow`);
        }
    });

    function argumentsOf(data) {
        return [data.input, data.nodes, data.execution, data.flow, data.variables,
            data.secrets === undefined ? undefined : new ProxyOf(data.secrets, secretOf), data.item, data.index,
            new DateOf(data.now), $date, $text, $hash, $encode];
    }

    function compileExpression(source) {
        try {
            new FunctionOf('"use strict"; return [' + source + '\n];'); // it is one expression, and not `a); b; (c`
            return { run: freeze(new FunctionOf(...names, '"use strict"; return (' + source + '\n);')) };
        } catch (error) {
            return { failure: stringify({ e: describe(error) }) };
        }
    }

    function encode(value) {
        if (value instanceof PromiseOf)
            throw new TypeErrorOf('It gives a promise; only code nodes can wait for one');
        const json = stringify(value);
        return json === undefined ? '{}' : `{"v":${json}}`;
    }

    function runExpressions(program, data) {
        const list = compiled('e' + program, () => parse(program).map(compileExpression));
        const given = parse(data);
        let body = '[';
        for (let i = 0; i < list.length && body.length <= limits.output; i++) {
            if (i > 0)
                body += ',';
            if (list[i].failure !== undefined) {
                body += list[i].failure;
                continue;
            }
            try {
                body += encode(list[i].run(...argumentsOf(given)));
            } catch (error) {
                body += stringify({ e: describe(error) });
            }
        }
        return body + ']';
    }

    // ---- code: {mode, code}; the last name is `items`

    const bodyOf = (source) => '"use strict";\n' + source;

    function compileCode(program) {
        const { code, mode } = parse(program);
        try {
            return { each: mode === 'each', run: freeze(new AsyncFunctionOf(...names, 'items', bodyOf(code))) };
        } catch (error) {
            return { failure: stringify({ e: describe(error, 3) }) };
        }
    }

    async function runEach(made, given, items) {
        const out = [];
        for (let i = 0; i < items.length; i++) {
            given.item = items[i];
            given.index = i;
            try {
                const value = await made.run(...argumentsOf(given), items);
                if (value !== undefined)
                    out.push(value);
            } catch (error) {
                throw { item: i, error };
            }
        }
        return out;
    }

    let pending;
    function runCode(program, data) {
        const made = compiled('c' + program, () => compileCode(program));
        if (made.failure !== undefined)
            return made.failure;
        const given = parse(data), mine = { body: undefined };
        const items = isArray(given.input) ? given.input : given.input === undefined ? [] : [given.input];
        pending = mine;
        const running = made.each ? runEach(made, given, items) : made.run(...argumentsOf(given), items);
        running.then((value) => {
            mine.body = encode(value);
        }).catch((error) => {
            const told = made.each && error !== null && typeof error === 'object' && 'item' in error ?
                { ...describe(error.error, 3), item: error.item } : describe(error, 3);
            mine.body = stringify({ e: told });
        });
        return undefined;
    }

    function checkSyntax({ as, source }) {
        try {
            if (as === 'code')
                new AsyncFunctionOf(...names, 'items', bodyOf(source));
            else if (as === 'body')
                new FunctionOf('value', source);
            else
                return compileExpression(source).failure ?? '{}';
            return '{}';
        } catch (error) {
            const told = describe(error);
            const line = as === 'code' ? native('line', `(async function () {\n${bodyOf(source)}\n})`) - 2 :
                native('line', `(function (value) {\n${source}\n})`) - 1;
            if (line > 0)
                told.line = MathOf.min(line, source.split('\n').length);
            return stringify({ e: told });
        }
    }

    return {
        // undefined: it waits for promises; the jobs of the engine are done when this has returned, then take() tells.
        dispatch(kind, program, data) {
            let body;
            try {
                body = kind === 'expressions' ? runExpressions(program, data) : kind === 'code' ? runCode(program, data) :
                    '[' + parse(program).map(checkSyntax).join(',') + ']';
            } catch (error) {
                body = stringify({ e: describe(error) });
            }
            return body === undefined ? undefined : finish(body);
        },
        take() {
            const { body } = pending;
            pending = undefined;
            return finish(body ?? '{"e":{"message":"The code waits for a promise that nothing will settle: there are no timers and no network here."}}');
        }
    };
})
