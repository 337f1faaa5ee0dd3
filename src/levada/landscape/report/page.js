(() => {
  const root = document.documentElement;
  document.getElementById('theme').addEventListener('click', () => {
    const dark = getComputedStyle(root).colorScheme.includes('dark');
    root.dataset.theme = dark ? 'light' : 'dark';
  });

  // Tables that can be searched.
  for (const input of document.querySelectorAll('input[data-filter]')) {
    const rows = [...document.querySelectorAll('#' + input.dataset.filter + ' tbody tr')];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const shown = input.parentElement.querySelector('output');
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      rows.forEach((row, n) => {
        row.hidden = !words.every((word) => texts[n].includes(word));
        if (!row.hidden) count += 1;
      });
      shown.textContent = count + ' of ' + rows.length;
    };
    input.addEventListener('input', apply);
    apply();
  }

  // The panel of one system.
  const facts = JSON.parse(document.getElementById('facts').textContent);
  const panel = document.getElementById('panel');
  const [title, about, list] = ['h3', 'p', 'dl'].map((tag) => panel.querySelector(tag));
  const known = (value) => (value === null ? 'unknown' : value);
  const names = (numbers) => {
    const all = numbers.map((n) => facts[n].n);
    return all.length ? all.slice(0, 14).join(', ') + (all.length > 14 ? ' and ' + (all.length - 14) + ' more' : '') : 'nobody';
  };
  const tell = (term, text) => {
    const dt = document.createElement('dt');
    const dd = document.createElement('dd');
    dt.textContent = term;
    dd.textContent = text;
    list.append(dt, dd);
  };
  const open = (number) => {
    const one = facts[number];
    title.textContent = one.n;
    about.textContent = known(one.k) + ' of ' + known(one.o) + ', domain ' + known(one.d);
    list.replaceChildren();
    if (one.h !== null) tell('Its flows cost', one.h.toLocaleString('en') + ' hours a month');
    tell('A change of it may reach', known(one.r) + (one.r === 1 ? ' system' : ' systems'));
    tell('Used by ' + one.b.length, names(one.b));
    tell('Uses ' + one.u.length, one.u.length ? names(one.u) : 'nothing');
    tell('In the blueprint', one.v.length ? 'over ' + one.v.join(', ') : 'its flows stay as they are');
    panel.hidden = false;
    const node = document.querySelector('.node[data-s="' + number + '"]');
    const box = node && node.getBoundingClientRect();
    panel.classList.toggle('aside', !!box && box.left > window.innerWidth / 2);
  };

  // What hangs together is lit in the pictures.
  const map = document.querySelector('.clusters');
  const light = (number) => {
    if (!map) return;
    map.classList.toggle('picked', number !== null);
    for (const hot of map.querySelectorAll('.hot')) hot.classList.remove('hot', 'uses');
    if (number === null) return;
    const touched = new Set([number]);
    for (const edge of map.querySelectorAll('.edge[data-c]')) {
      const [c, p] = [Number(edge.dataset.c), Number(edge.dataset.p)];
      if (c === number || p === number) {
        touched.add(c).add(p);
        edge.classList.add('hot');
        edge.classList.toggle('uses', c === number);
      }
    }
    for (const part of map.querySelectorAll('[data-s],[data-l]')) {
      if (touched.has(Number(part.dataset.s ?? part.dataset.l))) part.classList.add('hot');
    }
  };
  let chosen = null;
  const choose = (number) => {
    chosen = number;
    light(number);
    if (number === null) panel.hidden = true;
    else open(number);
  };
  document.addEventListener('click', (event) => {
    const part = event.target.closest('[data-s]');
    if (part) choose(Number(part.dataset.s));
    else if (!event.target.closest('#panel,.filter')) choose(null);
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') choose(null);
    const part = event.target.closest && event.target.closest('[data-s]');
    if (part && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      choose(Number(part.dataset.s));
    }
  });
  window.addEventListener('beforeprint', () => choose(null));
  document.getElementById('shut').addEventListener('click', () => choose(null));
  for (const node of document.querySelectorAll('.node')) {
    node.addEventListener('pointerenter', () => light(Number(node.dataset.s)));
    node.addEventListener('pointerleave', () => light(chosen));
  }
  const find = document.getElementById('find');
  const byName = new Map(facts.map((one, n) => [one.n.toLowerCase(), n]));
  const options = document.getElementById('systems');
  for (const one of facts.slice(0, 5000)) options.append(new Option(one.n));
  find.addEventListener('input', () => {
    const number = byName.get(find.value.trim().toLowerCase());
    if (number !== undefined) choose(number);
    else if (!find.value) choose(null);
  });

  // The layered picture: a part lights its way up to consumers and down to systems.
  const layered = document.querySelector('.layered');
  if (layered) {
    const links = [...layered.querySelectorAll('.link')].map((path) => ({ path, a: path.dataset.a, b: path.dataset.b }));
    const parts = [...layered.querySelectorAll('.part')];
    const reach = (from, near, far, seen) => {
      for (const link of links) if (link[near] === from && !link.path.classList.contains('direct')) {
        link.path.classList.add('hot');
        if (!seen.has(link[far])) {
          seen.add(link[far]);
          reach(link[far], near, far, seen);
        }
      }
    };
    const show = (number) => {
      layered.classList.toggle('picked', number !== null);
      for (const hot of layered.querySelectorAll('.hot')) hot.classList.remove('hot');
      if (number === null) return;
      const seen = new Set([number]);
      reach(number, 'a', 'b', seen);
      reach(number, 'b', 'a', seen);
      for (const part of parts) part.classList.toggle('hot', seen.has(part.dataset.n));
    };
    for (const part of parts) {
      for (const [on, off] of [['pointerenter', 'pointerleave'], ['focus', 'blur']]) {
        part.addEventListener(on, () => show(part.dataset.n));
        part.addEventListener(off, () => show(null));
      }
    }
    window.addEventListener('beforeprint', () => show(null));
    document.getElementById('direct').addEventListener('change', (event) => {
      layered.classList.toggle('direct-too', event.target.checked);
    });
  }

  const links = [...document.querySelectorAll('nav a')];
  const watch = new IntersectionObserver((seen) => {
    for (const one of seen) if (one.isIntersecting) {
      for (const link of links) link.toggleAttribute('aria-current', link.hash === '#' + one.target.id);
    }
  }, { rootMargin: '-30% 0px -60% 0px' });
  for (const part of document.querySelectorAll('section[id]')) watch.observe(part);
})();
