// The functions of a field-mapper, in a world of their own that is thrown away after the call: it may be changed at will.
// program: an array of function bodies with the argument `value`; data: {v: [[value of each item] of each function],
// u: [[index of undefined values] of each function]}. Gives the same shape, with x: indices where the function threw.
(function (limits) {
    const { parse, stringify } = JSON, FunctionOf = Function;
    for (const name of ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry'])
        delete globalThis[name];
    let size = 0;
    function encode(value) {
        const json = stringify(value);
        if (json !== undefined)
            size += json.length;
        return json;
    }
    return {
        dispatch(kind, program, data) {
            const given = parse(data), functions = [], out = [];
            for (const body of parse(program)) {
                let made;
                try {
                    made = new FunctionOf('value', body);
                } catch (error) {
                    made = undefined; // it does not compile: the source values stay
                }
                functions.push(made);
                out.push({ v: '', u: [], x: [] });
            }
            const count = given.v[0].length;
            for (let i = 0; i < count && size <= limits.output; i++)
                for (let k = 0; k < functions.length; k++) {
                    const result = out[k];
                    let json = 'null';
                    try {
                        if (functions[k] === undefined)
                            throw undefined;
                        json = encode(functions[k](given.u[k][i] === 1 ? undefined : given.v[k][i]));
                        if (json === undefined) {
                            json = 'null';
                            result.u[result.u.length] = i;
                        }
                    } catch (error) {
                        if (size <= limits.output)
                            result.x[result.x.length] = i;
                    }
                    result.v += (i > 0 ? ',' : '') + json;
                }
            if (size > limits.output)
                return `\n{"e":{"limit":true,"message":"The functions made more than ${limits.output} characters of JSON."}}`;
            let body = '[';
            for (let k = 0; k < out.length; k++)
                body += `${k > 0 ? ',' : ''}{"v":[${out[k].v}],"u":[${out[k].u}],"x":[${out[k].x}]}`;
            return '\n{"v":' + body + ']}';
        }
    };
})
