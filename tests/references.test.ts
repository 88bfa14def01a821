import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const ROOT = join(import.meta.dirname, '..')
const FILES = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean)
const TRACKED = new Set(FILES)
const TEXT = /\.(ts|mjs|cjs|js|json|md|yml|sh)$|(^|\/)(Dockerfile|run)$/
/** Written by machines, or kept as another version wrote it. */
const LEFT_OUT = /^package-lock\.json$|\/fixtures\//
const SOURCES = FILES.filter((file) => TEXT.test(file) && !LEFT_OUT.test(file) && file !== 'tests/references.test.ts')
const PAGES = SOURCES.filter((file) => file.endsWith('.md'))

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

/** One line of text: comment marks of its lines and addresses of public pages left out. */
const flat = (text: string): string =>
  text.replace(/https?:\/\/[^\s)>'"`]+/g, 'URL').replace(/\n[ \t]*(?:\/\/|\*(?!\*)|#(?= [^#]))?[ \t]*/g, ' ')

const known = new Map<string, Set<string>>()
/** What can be cited of a page: numbers of its headings, and of rows of its tables (`0.4`, `T51`). */
function sectionsOf(page: string): Set<string> {
  const found = known.get(page) ?? new Set<string>()
  if (known.has(page)) return found
  for (const line of read(page).split('\n')) {
    const id = /^#{2,4} (\d[\dA-Za-z.]*?)\.? /.exec(line)?.[1] ?? /^\| (\d+\.\d+|T\d+) \|/.exec(line)?.[1]
    if (id !== undefined) found.add(id)
  }
  known.set(page, found)
  return found
}

/** The page that a mention in a file means: by its path from the root, or from where the file is. */
function pageOf(mention: string, file: string): string | undefined {
  const places = [mention, join(dirname(file), mention)].map(normalize)
  return places.find((place) => TRACKED.has(place))
}

const MENTION =
  /(?<![\w/.-])((?:[\w.-]+\/)*[\w-]+\.md)(?![.\w]|\]\()(?:#[\w-]+)?(\)?(?:[,;]?(?: and| to| row)? (?:§|T(?=\d)|(?<=row )\d)[\d.A-Za-z–]*)*)/g
const CITED = /§(\d[\dA-Za-z.]*)|\b(T\d+)|row (\d+\.\d+)/g

/** Sections and rows that a text cites, without the stops that follow them. */
const citedIn = (text: string): string[] =>
  [...text.matchAll(CITED)].map(([, section, fault, row]) => (section ?? fault ?? row ?? '').replace(/\.$/, ''))

/** Mentions of pages that are no file here, and sections that the page does not have. */
function faultsOfMentions(file: string, text: string): string[] {
  return [...text.matchAll(MENTION)].flatMap(([, mention = '', after = '']) => {
    const page = pageOf(mention, file)
    if (page === undefined) return [`${file}: there is no ${mention}`]
    const missing = citedIn(after).filter((id) => !sectionsOf(page).has(id))
    return missing.map((id) => `${file}: ${page} has no ${id}`)
  })
}

const RELIABILITY = 'docs/reliability.md'
const OF_AN_RFC = /RFC \d+ §[\d.]+(?:(?:,| and) §[\d.]+)*/g

/** What stands without a page: faults (`T51`) are those of one page, a section is one of the page itself or of an RFC. */
function faultsOfBare(file: string, text: string): string[] {
  const rest = text.replace(MENTION, ' ').replace(OF_AN_RFC, ' ')
  return citedIn(rest).flatMap((id) => {
    const page = id.startsWith('T') ? RELIABILITY : file
    if (page.endsWith('.md')) return sectionsOf(page).has(id) ? [] : [`${file}: ${page} has no ${id}`]
    return [`${file}: §${id} of which page?`]
  })
}

/** What only whoever wrote it can look up, and decisions that were not taken. */
function faultsOfHearsay(file: string, text: string): string[] {
  const numbers =
    text.match(/\b(?:issues?|findings?) #?\d+\b|\bfounding (?:document|page|text|table|example)s?\b/gi) ?? []
  const taken = [...text.matchAll(/\bdecisions? \[?(\d{4})\b/gi)].map(([, number = '']) => number)
  return [
    ...numbers.map((words) => `${file}: "${words}" is nowhere to be read`),
    ...taken.filter((number) => !DECISIONS.has(number)).map((number) => `${file}: there is no decision ${number}`),
  ]
}
const DECISIONS = new Set(FILES.flatMap((file) => /^docs\/decisions\/(\d{4})-/.exec(file)?.[1] ?? []))

const faultsOf = (file: string, text: string): string[] => {
  const line = flat(text)
  return [...faultsOfMentions(file, line), ...faultsOfBare(file, line), ...faultsOfHearsay(file, line)]
}

const PATH = /`((?:apps|packages|tests|bench|chaos|examples|docs|scripts)\/[^`\s]*)`/g
/** Paths in a page that lead nowhere; `*` stands for one name, what a build makes is left out. */
function lostPaths(text: string): string[] {
  const paths = [...text.matchAll(PATH)].map(([, path = '']) => path)
  return paths.filter((path) => {
    if (path.includes('/dist/')) return false
    const parts = path.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&'))
    const pattern = new RegExp(`^${parts.join('[^/]*')}${path.endsWith('/') ? '' : '(/|$)'}`)
    return !FILES.some((file) => pattern.test(file))
  })
}

/** How a heading is called in an address. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-')

const hasAnchor = (page: string, anchor: string): boolean =>
  [...read(page).matchAll(/^#{1,6} (.+)$/gm)].some(([, heading = '']) => anchorOf(heading) === anchor)

/** Links of a page that lead to no file, or to no heading of it. Links into the web begin with `https://`. */
function lostLinks(page: string, text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => {
    if (link.startsWith('https://')) return false
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : normalize(join(dirname(page), path))
    if (!FILES.some((file) => file === target || file.startsWith(target.endsWith('/') ? target : `${target}/`)))
      return true
    return anchor !== undefined && !hasAnchor(target, anchor)
  })
}

describe('references', () => {
  it('name pages, sections and faults that are in the repository, in code and in documents', () => {
    expect(SOURCES.flatMap((file) => faultsOf(file, read(file)))).toEqual([])
  })

  it.each(PAGES)('in %s: paths and links lead somewhere', (page) => {
    expect([...lostPaths(read(page)), ...lostLinks(page, read(page))]).toEqual([])
  })

  it('are read: what they must find is found', () => {
    const cited = SOURCES.flatMap((file) => [...flat(read(file)).matchAll(MENTION)])
    expect(cited.length).toBeGreaterThan(200)
    expect(sectionsOf('docs/vendors.md').has('0.4')).toBe(true)
    expect(sectionsOf(RELIABILITY).has('T51')).toBe(true)
  })
})

describe('the watch over references', () => {
  const inCode = (comment: string) => faultsOf('packages/core/src/index.ts', comment)

  it('finds a page that is not here, and a name without its folder', () => {
    expect(inCode('/** Why: toolchain.md §2. */')).toEqual(['packages/core/src/index.ts: there is no toolchain.md'])
    expect(inCode('// see design.md §6')).toEqual(['packages/core/src/index.ts: there is no design.md'])
  })

  it('finds a section, a row and a fault that a page does not have, over line breaks too', () => {
    expect(inCode('// docs/design.md §6, §99')).toEqual(['packages/core/src/index.ts: docs/design.md has no 99'])
    expect(inCode('/**\n * docs/vendors.md\n * §0.44\n */')).toEqual([
      'packages/core/src/index.ts: docs/vendors.md has no 0.44',
    ])
    expect(inCode('// (docs/reliability.md T951)')).toEqual([
      'packages/core/src/index.ts: docs/reliability.md has no T951',
    ])
    expect(faultsOf('docs/design.md', 'as §77 says, and T950')).toHaveLength(2)
  })

  it('finds sections of no page and numbers that nobody can look up', () => {
    expect(inCode('// (§7.1)')).toEqual(['packages/core/src/index.ts: §7.1 of which page?'])
    expect(inCode('// issue 12 wants it, finding 3, the founding documents, decision 9999')).toHaveLength(4)
  })

  it('lets pass what is right: pages beside it, links, RFCs, public pages', () => {
    expect(
      inCode(
        '// docs/wire-api.md §1.4 and §6.3; docs/reliability.md T51, RFC 9110 §10.2.3. const md = forge.md.sha256',
      ),
    ).toEqual([])
    expect(
      faultsOf('docs/design.md', '[reliability.md](reliability.md) §3.5, https://example.org/other.md §99'),
    ).toEqual(['docs/design.md: docs/design.md has no 99'])
  })
})

describe('the watch over links and paths', () => {
  it('finds links that lead to no file, to no heading, or to the web without saying so', () => {
    const right = '[a](vendors.md#2-fcm) [b](https://example.org) [c](#2-words) [d](decisions/)'
    expect(
      lostLinks('docs/design.md', `${right} [e](nowhere.md) [f](vendors.md#99-nobody) [g](www.example.org)`),
    ).toEqual(['nowhere.md', 'vendors.md#99-nobody', 'www.example.org'])
  })

  it('finds paths that lead nowhere', () => {
    expect(lostPaths('`packages/core/src/nothing.ts` `packages/nowhere/` `apps/*/src/main.ts` `docs/`')).toEqual([
      'packages/core/src/nothing.ts',
      'packages/nowhere/',
    ])
  })
})
