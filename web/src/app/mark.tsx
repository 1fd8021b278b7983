/** Streams that become one. */
export function Mark({ size = 26 }: { size?: number }) {
    return (
        <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
            <rect width="32" height="32" rx="9" fill="var(--accent)" />
            <g fill="none" stroke="var(--on-accent)" strokeWidth="2.6" strokeLinecap="round">
                <path d="M5 9c6 0 7 7 13 7h9" />
                <path d="M5 23c6 0 7-7 13-7" opacity=".75" />
                <path d="M5 16h7" opacity=".5" />
            </g>
        </svg>
    );
}
