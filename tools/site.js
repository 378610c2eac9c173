// Formulas: KaTeX redraws what pandoc wrote as MathML, from the TeX kept beside it.
for (const math of document.querySelectorAll('math')) {
  const tex = math.querySelector('annotation').textContent, span = document.createElement('span')
  katex.render(tex, span, {displayMode: math.getAttribute('display') === 'block', throwOnError: false, strict: false})
  math.replaceWith(span)
}

// Light and dark: the reader's choice, else the system's.
const root = document.documentElement
document.querySelector('#theme').onclick = () => {
  const dark = getComputedStyle(root).colorScheme === 'dark' || root.dataset.theme === '' && matchMedia('(prefers-color-scheme: dark)').matches
  root.dataset.theme = dark ? 'light' : 'dark'
  try { localStorage.theme = root.dataset.theme } catch {}
}
document.querySelector('#menu').onclick = () => document.body.classList.toggle('menu')

// On this page: at the side if there is room, else folded under the title.
const toc = document.querySelector('#toc'), topics = toc.querySelector('ul:not(.actions)')
if (topics) {
  const narrow = matchMedia('(max-width: 74rem)'), fold = document.createElement('details')
  fold.id = 'contents'; fold.innerHTML = '<summary>On this page</summary>'
  fold.onclick = event => { if (event.target.closest('a')) fold.open = false }
  const place = () => {
    if (narrow.matches) { document.querySelector('.lead, h1:not(:has(+ .lead))').after(fold); fold.append(topics) }
    else { fold.remove(); toc.querySelector('h2').after(topics) }
  }
  narrow.onchange = place; place()
}

// Code: what is wrapped goes farther in than its own line; and a button that copies it.
for (const line of document.querySelectorAll('.sourceCode code > span')) {
  line.style.setProperty('--hang', `min(${Math.max(0, line.textContent.search(/\S/)) + 4}ch, 40%)`)
}
for (const pre of document.querySelectorAll('div.sourceCode')) {
  const button = document.createElement('button')
  button.className = 'copy'; button.textContent = 'Copy'
  button.onclick = async () => { await navigator.clipboard.writeText(pre.querySelector('code').textContent); button.textContent = 'Copied' }
  pre.append(button)
}

// Search: every word must occur; headings count more than text, whole words in them most.
const input = document.querySelector('#search input'), list = document.querySelector('#search ol')
input.oninput = () => {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean)
  const score = ([, title, heading, text]) => words.reduce((sum, word) => {
    const name = heading.toLowerCase(), whole = name.split(/\W+/).includes(word)
    const found = 9 * name.includes(word) + 9 * whole + 4 * title.toLowerCase().includes(word) + text.toLowerCase().includes(word)
    return found && sum ? sum + found : 0
  }, 1)
  const hits = words.length ? sections.map(section => [score(section), section]).filter(([n]) => n).sort((a, b) => b[0] - a[0]).slice(0, 12) : []
  list.replaceChildren(...hits.map(([, [href, title, heading, text]]) => {
    const item = document.createElement('li'), link = document.createElement('a'), small = document.createElement('small')
    const at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 30)
    link.href = document.body.dataset.root + href
    link.textContent = heading ? `${title} › ${heading}` : title
    small.textContent = (at ? '…' : '') + text.slice(at, at + 120)
    link.append(small); item.append(link)
    return item
  }))
  if (words.length && !hits.length) list.textContent = 'Nothing found'
}
document.onkeydown = event => {
  if (event.key === '/' && document.activeElement.tagName !== 'INPUT') { input.focus(); event.preventDefault() }
  if (event.key === 'Escape') { input.value = ''; input.oninput(); input.blur() }
}
document.onclick = event => { if (!event.target.closest('#search')) list.replaceChildren() }
