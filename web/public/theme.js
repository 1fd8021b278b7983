// Before the first paint: the chosen theme and language, so that neither flashes; and what the page at hand needs is
// asked for at once, since the browser would find it only after the frame has run.
(function () {
    var root = document.documentElement;
    var language = null;
    try {
        var theme = localStorage.getItem('caudal.theme');
        if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
        if (localStorage.getItem('caudal.folded') === 'yes') root.dataset.folded = 'yes';
        language = localStorage.getItem('caudal.language');
    } catch {
        // No storage: the system's theme is used.
    }
    root.lang = language || (navigator.language.toLowerCase().indexOf('es') === 0 ? 'es' : 'en');
    var pages = /* pages */ []; // filled in by the build (scripts/boot.ts)
    var parts = location.pathname.replace(/(.)\/$/, '$1').split('/');
    var page = pages.find(function (one) {
        var pattern = one.path.split('/');
        return (
            pattern.length === parts.length &&
            pattern.every(function (part, i) {
                return part === '*' || part === parts[i];
            })
        );
    });
    if (page === undefined) return;
    page.files.concat(page.texts[root.lang] || []).forEach(function (file) {
        var link = document.createElement('link');
        var style = /\.css$/.test(file);
        link.rel = style ? 'preload' : 'modulepreload';
        if (style) {
            link.as = 'style';
            link.crossOrigin = ''; // as the style sheet itself is asked for, or it is asked for twice
        }
        link.href = '/' + file;
        document.head.append(link);
    });
})();
