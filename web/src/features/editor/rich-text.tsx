/* Notes are plain text; a little of Markdown is shown as what it says. Nothing in it becomes HTML. */
import { Fragment, type ReactNode } from 'react';
import css from './editor.module.css';

const inlinePattern =
    /(\*\*[^*\n]+\*\*|\*[^*\n]+\*|`[^`\n]+`|\[[^\]\n]+\]\(https?:\/\/[^\s)]+\)|https?:\/\/[^\s<>]+)/g;

function inline(text: string): ReactNode[] {
    return text.split(inlinePattern).map((part, index) => {
        if (part.startsWith('**') && part.endsWith('**') && part.length > 4)
            return <strong key={index}>{part.slice(2, -2)}</strong>;
        if (part.startsWith('*') && part.endsWith('*') && part.length > 2)
            return <em key={index}>{part.slice(1, -1)}</em>;
        if (part.startsWith('`') && part.endsWith('`') && part.length > 2)
            return <code key={index}>{part.slice(1, -1)}</code>;
        const link = /^\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)$/.exec(part);
        const address = link?.[2] ?? (/^https?:\/\//.test(part) ? part : undefined);
        if (address !== undefined)
            return (
                <a key={index} className="nodrag" href={address} target="_blank" rel="noopener noreferrer">
                    {link?.[1] ?? part}
                </a>
            );
        return <Fragment key={index}>{part}</Fragment>;
    });
}

interface Block {
    kind: 'heading' | 'list' | 'text';
    lines: string[];
}
/** Headings (#), lists (-) and paragraphs, each line by line. */
export function blocksOf(text: string): Block[] {
    const blocks: Block[] = [];
    let open: Block | null = null;
    for (const line of text.split('\n')) {
        const heading = /^#{1,4}\s+(.*)$/.exec(line);
        const item = /^\s*[-*]\s+(.*)$/.exec(line);
        const kind = heading !== null ? 'heading' : item !== null ? 'list' : 'text';
        const content = heading?.[1] ?? item?.[1] ?? line;
        if (kind === 'text' && line.trim() === '') open = null;
        else if (open !== null && open.kind === kind && kind !== 'heading') open.lines.push(content);
        else blocks.push((open = { kind, lines: [content] }));
    }
    return blocks;
}

export function RichText({ text }: { text: string }) {
    return (
        <div className={css.rich}>
            {blocksOf(text).map((block, index) =>
                block.kind === 'heading' ? (
                    <p key={index} className={css.richHeading}>
                        {inline(block.lines.join(' '))}
                    </p>
                ) : block.kind === 'list' ? (
                    <ul key={index}>
                        {block.lines.map((line, i) => (
                            <li key={i}>{inline(line)}</li>
                        ))}
                    </ul>
                ) : (
                    <p key={index}>
                        {block.lines.map((line, i) => (
                            <Fragment key={i}>
                                {i > 0 && <br />}
                                {inline(line)}
                            </Fragment>
                        ))}
                    </p>
                ),
            )}
        </div>
    );
}
