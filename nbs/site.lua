-- What both engines, Quarto and tools/quarto, add to a page.
local address = 'https://nadam-nb.github.io/nadam_nb/'
local repository = 'nadam-nb/nadam_nb'
local raw = 'https://raw.githubusercontent.com/' .. repository .. '/main/'
local readme = FORMAT:match 'gfm' or FORMAT:match 'commonmark' or FORMAT:match 'markdown'

local function notebook()  -- the page's notebook, as a path below nbs/
  if not quarto then return os.getenv 'NOTEBOOK' end
  local folder = quarto.project and quarto.project.directory
  return folder and (pandoc.path.make_relative(quarto.doc.input_file, folder):gsub('\\', '/'))
end

-- README.md is read on GitHub and on PyPI: its links and images are absolute.
local function page(path)  -- the address of a notebook's page: without the numbers that set the order
  return address .. path:gsub('^%./', ''):gsub('([^/]+)%.ipynb', function(name) return name:gsub('^%d+%a?_', '') .. '.html' end)
end

local function link(el)
  el.target = el.target:gsub('#LNone$', '')  -- nbdev's link to the source of an imported name, whose line it does not find
  if readme and el.target:match '^[^:#]+%.ipynb' then el.target = page(el.target) end
  return el
end

local function image(el)
  if not readme or el.src:match '^%a+:' then return nil end
  local alt = el.attributes['fig-alt'] or el.attributes.alt
  local folder = el.src:match '_files/figure%-' and '' or 'nbs/'
  return pandoc.Image(alt and {pandoc.Str(alt)} or el.caption, raw .. folder .. el.src)
end

-- Each page but the first offers its notebook.
local function offer(doc)
  local path = not readme and notebook()
  if not path or not path:match '/.*%.ipynb$' then return nil end
  local colab = 'https://colab.research.google.com/github/' .. repository .. '/blob/main/nbs/' .. path
  local links = '<p class="notebook-links"><a href="%s">Open in Colab</a> <a href="%s" download>Download the notebook</a></p>'
  doc.blocks:insert(1, pandoc.RawBlock('html', links:format(colab, raw .. 'nbs/' .. path)))
  return doc
end

return {{Link = link, Image = image, Pandoc = offer}}
