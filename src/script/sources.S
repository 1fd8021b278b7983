/* The JavaScript of this folder as bytes, each ended by a NUL. */
    .section .rodata
    .global script_prelude_js
    .global script_mapper_js
script_prelude_js:
    .incbin "script/prelude.js"
    .byte 0
script_mapper_js:
    .incbin "script/mapper.js"
    .byte 0
    .section .note.GNU-stack, "", @progbits
