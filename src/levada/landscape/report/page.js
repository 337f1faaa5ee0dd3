(() => {
  const root = document.documentElement;
  const button = document.getElementById('theme');
  button.addEventListener('click', () => {
    const dark = getComputedStyle(root).colorScheme.includes('dark');
    root.dataset.theme = dark ? 'light' : 'dark';
  });
  for (const input of document.querySelectorAll('input[data-filter]')) {
    const rows = [...document.querySelectorAll('#' + input.dataset.filter + ' tbody tr')];
    const shown = input.parentElement.querySelector('output');
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) count += 1;
      }
      shown.textContent = count + ' of ' + rows.length;
    };
    input.addEventListener('input', apply);
    apply();
  }
  const links = [...document.querySelectorAll('nav a')];
  const watch = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) {
      for (const link of links) link.toggleAttribute('aria-current', link.hash === '#' + one.target.id);
    }
  }, { rootMargin: '-30% 0px -60% 0px' });
  for (const part of document.querySelectorAll('section[id]')) watch.observe(part);
})();
