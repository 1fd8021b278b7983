const plain = (text: string): string =>
    text
        .normalize('NFD')
        .replace(/\p{Diacritic}/gu, '')
        .toLowerCase();
/** Every word begins somewhere in the text. */
export const matches = (text: string, query: string): boolean => {
    const within = plain(text);
    return plain(query)
        .split(/\s+/)
        .every((word) => within.includes(word));
};
