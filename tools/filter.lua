-- What Quarto adds to pandoc's Markdown: numbered cross references, callouts, theorems, links between notebooks.
-- Whatever cannot be resolved, or is Quarto's and unknown here, becomes a warning; the caller turns warnings into errors.
local site = pandoc.json.decode(os.getenv 'SITE')
local gfm = FORMAT == 'gfm'
local names = {fig = 'Figure', tbl = 'Table', eq = 'Equation',
               thm = 'Theorem', lem = 'Lemma', cor = 'Corollary', prp = 'Proposition', def = 'Definition', exm = 'Example'}
local callouts = {['callout-note'] = 'Note', ['callout-tip'] = 'Tip', ['callout-warning'] = 'Warning',
                  ['callout-important'] = 'Important', ['callout-caution'] = 'Caution'}
local counts, labels, cited = {}, {}, false
local warn, space, nbsp, raw = pandoc.log.warn, pandoc.Space(), pandoc.Str '\u{a0}', function(text) return pandoc.RawBlock('html', text) end

-- First pass: number the labels in reading order.
local function number(id)
  local name = names[id:match '^(%l+)%-']
  if not name then return end
  if labels[id] then warn('label used twice: ' .. id) end
  counts[name] = (counts[name] or 0) + 1
  labels[id] = {name = name, number = tostring(counts[name])}
end
local function number_element(el) number(el.identifier) end

-- Second pass: figures, tables, equations, theorems, callouts, references.
local function heading(id, mark)  -- 'Figure 1: '
  local label = labels[id]
  return label and pandoc.Inlines {pandoc.Str(label.name), nbsp, pandoc.Str(label.number .. (mark or ''))} or pandoc.Inlines {}
end

local function figure(id, content, caption)
  if labels[id] then caption = heading(id, ':') .. {space} .. caption end
  if gfm then return pandoc.Div(content .. {pandoc.Para(caption)}, {id}) end
  return pandoc.Figure(content, pandoc.Caption {pandoc.Plain(caption)}, {id})
end

local function titled(div)  -- the title of a callout or theorem: its attribute, or its first heading
  local first, given = div.content[1], div.attributes.title or div.attributes.name
  if first and first.t == 'Header' then return div.content:remove(1).content end
  return given and pandoc.utils.blocks_to_inlines(pandoc.read(given).blocks)
end

local function lead(div, inlines)  -- begin the first paragraph with a title
  if not div.content[1] or div.content[1].t ~= 'Para' then div.content:insert(1, pandoc.Para {}) end
  div.content[1].content = pandoc.Inlines(inlines) .. {space} .. div.content[1].content
end

local function callout(div, class)
  local title, kind = titled(div), class:sub(9)
  if gfm then
    local head = pandoc.Blocks {pandoc.Div(pandoc.Para(callouts[class]), {'', {'title'}})}
    if title then head:insert(pandoc.Para(pandoc.Strong(title))) end
    return pandoc.Div(head .. div.content, {'', {kind}})
  end
  local outer, inner = 'div', 'p'
  if div.attributes.collapse == 'true' then outer, inner = 'details', 'summary' end
  local open, close = '<%s class="callout %s"><%s class="callout-title">', '</%s>'
  local head = pandoc.Blocks {raw(open:format(outer, class, inner)), pandoc.Plain(title or callouts[class]), raw(close:format(inner))}
  return head .. div.content .. {raw(close:format(outer))}
end

local function div(el)
  local id, class = el.identifier, el.classes[1] or ''
  local label = labels[id]
  for key in pairs(el.attributes) do
    if not ('title name collapse style align'):find(key, 1, true) then warn('attribute of a ::: block not supported: ' .. key) end
  end
  if label and (label.name == 'Figure' or label.name == 'Table') then
    local caption = el.content:remove()
    if not caption or caption.t ~= 'Para' then warn('no caption: ' .. id) return end
    return figure(id, el.content, caption.content)
  elseif label then
    local title = titled(el)
    lead(el, {pandoc.Strong(heading(id) .. (title and pandoc.Inlines {space, pandoc.Str '('} .. title .. {pandoc.Str ')'} or {}))})
    return pandoc.Div(el.content, {id, {'theorem'}})
  elseif class == 'proof' then lead(el, {pandoc.Emph 'Proof.'}) return el
  elseif callouts[class] then return callout(el, class)
  elseif class == 'cell' or class == 'cell-output' then return gfm and el.content or nil
  elseif class ~= '' then warn('block not supported: ::: .' .. class) end
end

local function table(el)
  local id, caption = el.identifier, el.caption.long
  if not labels[id] then return end
  caption[1].content = heading(id, ':') .. {space} .. caption[1].content
  if not gfm then return el end
  el.caption, el.identifier = pandoc.Caption(), ''
  return pandoc.Div({pandoc.Para(caption[1].content), el}, {id})
end

local function equations(inlines)  -- $$...$$ {#eq-x}
  local done = pandoc.Inlines {}
  for _, el in ipairs(inlines) do
    local id, rest = (el.t == 'Str' and el.text or ''):match '^{#(eq%-[^}]+)}(.*)$'
    local last = id and done:remove()
    local math = last and (last.t == 'Math' and last or done:remove())
    if math and math.t == 'Math' then
      local n = '(' .. labels[id].number .. ')'
      if gfm then
        math.text = math.text:gsub('%s*$', '') .. ' \\qquad' .. n
        done:extend {pandoc.RawInline('html', '<span id="' .. id .. '"></span>'), pandoc.SoftBreak(), math}
      else done:insert(pandoc.Span({math, pandoc.Span(n, {'', {'number'}})}, {id, {'equation'}})) end
      if rest ~= '' then done:insert(pandoc.Str(rest)) end
    else done:insert(el) end
  end
  return done
end

local function reference(cite)  -- @fig-x, [-@eq-y], [@tbl-a; @tbl-b]
  local refs = pandoc.Inlines {}
  for i, c in ipairs(cite.citations) do
    local id = c.id:gsub('^%u', string.lower)
    local label, kind = labels[id], id:match '^(%l+)%-'
    if kind == 'sec' then warn('sections have no numbers: write [title](#' .. id .. ') instead of @' .. id)
    elseif names[kind] and not label then warn('unresolved reference @' .. id .. '; if it is on another page, write [text](page.ipynb#' .. id .. ')')
    elseif label then
      if #c.suffix > 0 then warn('text after the reference @' .. id) end
      local text = c.mode == 'SuppressAuthor' and pandoc.Inlines(label.number) or heading(id)
      if #c.prefix > 0 then text = c.prefix .. {nbsp, pandoc.Str(label.number)} end
      refs:extend {i > 1 and pandoc.Str ', ' or pandoc.Str '', pandoc.Link(text, '#' .. id, '', {'', {'quarto-xref'}})}
    else cited = true end
  end
  if #refs > 0 and cited and #refs < 2 * #cite.citations then warn('citations and references in one bracket: ' .. pandoc.utils.stringify(cite)) end
  return #refs > 0 and refs or nil
end

-- Third pass: links, and markup that nothing above has used up.
local function resolve(target)
  if site.root and target:sub(1, #site.address) == site.address then return site.root .. target:sub(#site.address + 1) end
  if target:match '^%a[%w+.-]*:' or target:match '^[/#]' or target:sub(1, #site.figures) == site.figures then return target end
  local path, hash = target:match '^([^#]*)(.*)$'
  path = (site.dir == '' and '' or site.dir .. '/') .. path:gsub('^%./', '')
  repeat local n; path, n = path:gsub('[^/.][^/]*/%.%./', '', 1) until n == 0
  if site.pages[path] then return site.pages[path] .. hash end
  local file = not path:match '%.ipynb$' and io.open(path)
  if not file then warn('dead link: ' .. target) return target end
  file:close()
  return gfm and site.address .. path or target
end

local function leak(text) warn('left over: ' .. text) end
local function leak_tex(el) if el.format:match 'tex' then leak(el.text) end end

return {
  {traverse = 'topdown', Figure = number_element, Table = number_element, Div = number_element,
   Str = function(el) local id = el.text:match '^{#(eq%-[^}]+)}'; if id then number(id) end end},
  {Div = div, Table = table, Inlines = equations, Cite = reference,
   Figure = function(el) return figure(el.identifier, el.content, pandoc.utils.blocks_to_inlines(el.caption.long)) end},
  {RawBlock = leak_tex, RawInline = leak_tex,
   Link = function(el) el.target = resolve(el.target) return el end,
   Image = function(el) el.src, el.attributes.alt, el.attributes['fig-alt'] = resolve(el.src), el.attributes['fig-alt'], nil return el end,
   Str = function(el) if el.text:match '^:::' or el.text:match '^{[{#]' or el.text:match '%$%$' or el.text:match '^#|' then leak(el.text) end end,
   CodeBlock = function(el)
     if (el.classes[1] or ''):match '^{' then leak(el.classes[1]) end
     if gfm and ('stdout stderr result error'):find(el.classes[1] or '?', 1, true) then el.classes = {} end
     return el
   end,
   Pandoc = function(doc)
     if cited then doc.blocks:extend {pandoc.Header(2, 'References', {'references'}), pandoc.Div({}, {'refs'})} end
     return doc
   end},
}
