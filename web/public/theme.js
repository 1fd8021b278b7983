// Before the first paint: the chosen theme and language, so that neither flashes.
(function () {
    try {
        var theme = localStorage.getItem('caudal.theme');
        if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
        var language = localStorage.getItem('caudal.language');
        if (language) document.documentElement.lang = language;
    } catch {
        // No storage: the system's theme is used.
    }
})();
