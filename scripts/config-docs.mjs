// Writes docs/config.md from the config's schema, so that the two cannot differ (test/unit/config.test.ts compares
// them). Run it after a change of lib/config/schema.ts:
//
//   npm run build && node scripts/config-docs.mjs
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const introduction = (names) => `# Configuration

A run is described by a YAML or JSON file (\`--config\`), by \`--set path.to.key=value\` over it, and by flags over both
(\`--output\`, \`--seed\`, \`--seeds\`, \`--device\`, \`--threads\`). Every key is optional unless its default says
*required*. \`sparring distill --config run.yaml --dry-run\` checks everything and prints the plan; the resolved form,
with every default filled in, is saved as \`config.yaml\` in the run folder.

- Values of \`--set\` are YAML: \`--set rounds.count=3\`, \`--set 'generator.attention=[0, 1]'\`.
- Relative paths in a file (\`data.root\` and \`data.file\`; \`weights\` and \`start\` of \`teacher\` and \`generator\`;
  \`teacher.zeroShot.clip\`; \`discretiser.weights\` and \`discretiser.lpips\`; \`sampling.guidance.decoder\`; \`dad.stores\`; the folders of \`ood\` and \`spurious\`; \`pretrained.path\` of \`generator\` and \`discretiser\`) start at the
  file's folder. Those given with \`--set\`, and \`output\` wherever it is given, start at the working directory.
- In place of an \`architecture\` section a name may stand, \`architecture: vit_small_patch16\`:
  ${names.map(code).join(', ')}.
- \`sampling.preset: exact\`, \`fast\` or \`turbo\` stands for several settings of guidance per step; see
  [method.md](method.md#less-than-the-exact-gradient).
- Weights with the names of timm are read as timm reads them: position embeddings of a vision transformer that were made for
  images of another size, and attention biases of a TinyViT for other windows, are resampled (bicubic, with antialias).
- Networks of other kinds are read as TorchScript; see [torchscript.md](torchscript.md).
- A section with several kinds (\`kind\`, \`family\`) needs that key as soon as one of its other keys is given.
- An unknown key, a wrong type or a value out of range ends the command with exit code 2 and names path, expected and
  found.

This file is generated from \`lib/config/schema.ts\` by \`scripts/config-docs.mjs\`.
`;

/** The text of docs/config.md for the JSON Schema of the config's input and the names of architectures. */
export function configDocs(schema, architectures) {
  const sections = new Map(); // one for each set of keys, however many places have it
  collect(schema, '', '', sections);
  return [introduction(architectures), ...[...sections.values()].map(sectionText)].join('\n');
}

/**
 * Adds the sections below `node`, in the order of the schema: a section first, then what it contains. `kind` is that
 * of the node itself, `within` the kinds of the sections around it.
 */
function collect(node, path, kind, sections, within = '') {
  if (node.oneOf) {
    for (const variant of node.oneOf) {
      const [key, { const: value }] = Object.entries(variant.properties).find(([, property]) => property.const !== undefined);
      collect(variant, path, `${key}: ${value}`, sections, value);
    }
  } else if (node.properties) {
    const signature = `${kind} ${Object.keys(node.properties)}`;
    const section = sections.get(signature) ?? { kind, places: new Map() };
    sections.set(signature, section);
    section.places.set(`${path} ${within}`, { ...node, path, within });
    for (const [key, property] of Object.entries(node.properties)) collect(property, path ? `${path}.${key}` : key, '', sections, within);
  }
}

function sectionText({ kind, places }) {
  const paths = [...new Set([...places.values()].map(({ path }) => path))];
  const [first] = places.values();
  const title = paths[0] === '' ? 'Top level' : paths.map(code).join(', ') + (kind ? ` with ${code(kind)}` : '');
  const rows = Object.keys(first.properties)
    .filter((key) => first.properties[key].const === undefined) // in the title
    .map((key) => {
      const { description = '' } = first.properties[key];
      return `| ${[code(key), typeText(first.properties[key]), defaultText(places, key), description.replaceAll('<', '&lt;')].join(' | ').trimEnd()} |`;
    });
  return [`## ${title}`, '', '| key | type | default | meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

/** The default of a key; where the places of a section differ, each with where it holds. */
function defaultText(places, key) {
  const holds = new Map();
  for (const node of places.values()) {
    const text = oneDefault(node, key);
    holds.set(text, [...(holds.get(text) ?? []), node.within || node.path.split('.')[0]]);
  }
  if (holds.size === 1) return [...holds.keys()][0];
  return [...holds].map(([text, where]) => `${text} (${where.join(', ')})`).join(', ');
}

function oneDefault(node, key) {
  const property = node.properties[key];
  if (property.default === undefined) return node.required?.includes(key) ? '*required*' : 'none';
  if (property.properties) return 'see its section';
  return code(flow(property.default));
}

function typeText(node) {
  if (node.oneOf) return 'section with several kinds';
  if (node.properties) return 'section';
  if (node.anyOf) return node.anyOf.map(({ const: value }) => code(value)).join(' or ');
  if (node.enum) return node.enum.map(code).join(', ');
  if (node.prefixItems) return `list of ${node.prefixItems.length} ${typeText(node.prefixItems[0])}s`;
  if (node.type === 'array') return `list of ${typeText(node.items).replace(/^(whole number|text)/, '$1s')}`;
  if (node.type === 'object') return 'texts by name';
  if (node.type === 'string') return 'text';
  if (node.type === 'boolean') return '`true`, `false`';
  return [node.type === 'integer' ? 'whole number' : 'number', rangeText(node)].filter(Boolean).join(' ');
}

function rangeText({ minimum, maximum, exclusiveMinimum }) {
  const above = exclusiveMinimum === undefined ? (minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? '' : `≥ ${minimum}`) : `> ${exclusiveMinimum}`;
  if (maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER) return above;
  return minimum === undefined ? `${above}, ≤ ${maximum}`.replace(/^, /, '') : `${minimum}..${maximum}`;
}

/** YAML in one line. */
function flow(value) {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object') return `{${Object.entries(value).map(([key, item]) => `${key}: ${flow(item)}`).join(', ')}}`;
  return String(value);
}

function code(text) {
  return `\`${text}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { configSchema } = await import('../dist/config/schema.js');
  const { namedArchitectures } = await import('../dist/config/architectures.js');
  const schema = configSchema.toJSONSchema({ io: 'input', unrepresentable: 'any' });
  writeFileSync(new URL('../docs/config.md', import.meta.url), configDocs(schema, Object.keys(namedArchitectures)));
}
