// main.js DASHBOARD PROMETHEUS SCRAPE_SECONDS START END PAGE: asks the Prometheus at this URL for everything that the dashboard
// shows between two times, in seconds since 1970, and draws it into a page. Fails for each panel that shows nothing.
import { readFile, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { drawPage } from './draw.js'
import { linesOf, type Panel } from './panels.js'

const [dashboard = '', server = '', scrapeSeconds, start, end, page = ''] = process.argv.slice(2)
const { title, panels } = JSON.parse(await readFile(dashboard, 'utf8')) as { title: string; panels: Panel[] }
const range = { start: Number(start), end: Number(end), step: Number(scrapeSeconds) }

const drawn = []
for (const panel of panels)
  try {
    drawn.push({ panel, lines: await linesOf(server, panel, range, range.step) })
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
await writeFile(page, drawPage(title, drawn, range))
console.log(`${drawn.length} of ${panels.length} panels show something.`)
