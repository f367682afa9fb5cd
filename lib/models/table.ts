/** What `sparring models` prints: tables for a terminal. */
import { count } from '../report/table.js';
import type { ListedNetwork } from './catalog.js';
import type { Inspection, NetworkReport, WeightsReport } from './inspect.js';

type Align = 'left' | 'right';
type Column = [title: string, align: Align];

/** A framed table; `rows` have as many cells as there are columns. */
export function framedTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(([title], i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const print = (cells: readonly string[]): string => `| ${cells.map((cell, i) => (columns[i]![1] === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(' | ')} |`;
  return [line, print(columns.map(([title]) => title)), line, ...rows.map(print), line].join('\n');
}

export const bytes = (value: number): string => scaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
export const flops = (value: number): string => scaled(value, 1000, ['FLOPs', 'kFLOPs', 'MFLOPs', 'GFLOPs', 'TFLOPs']);

function scaled(value: number, base: number, units: readonly string[]): string {
  let step = 0;
  while (value >= base && step + 1 < units.length) (value /= base), step++;
  return `${step === 0 ? value : value.toPrecision(value >= 1000 ? 4 : 3)} ${units[step]}`;
}

const shape = (sizes: readonly number[]): string => `[${sizes.join(', ')}]`;

export function listText(networks: readonly ListedNetwork[]): string {
  const columns: Column[] = [['name', 'left'], ['kind', 'left'], ['input', 'right'], ['parameters', 'right'], ['weights that fit', 'left']];
  const rows = networks.map(({ name, kind, imageSize, parameters, weights }) => [name, kind, `${imageSize} px`, count(parameters), weights]);
  return `${framedTable(columns, rows)}\nparameters: of classifiers with 1000 classes, of generators those of the U-Net`;
}

export function inspectionText({ weights, network }: Inspection): string {
  return [...(weights ? [weightsText(weights)] : []), ...(network ? [networkText(network)] : [])].join('\n\n');
}

function weightsText({ files, metadata, layers, elements, bytes: size }: WeightsReport): string {
  const tensors = layers.flatMap((layer) => layer.tensors);
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))].join(', ');
  const properties = [
    ...files.map((file, i) => [i === 0 ? 'file' : 'shard', file]),
    ...Object.entries(metadata).map(([key, value]) => [key, value.length > 100 ? `${value.slice(0, 97)}...` : value]),
    ['tensors', count(tensors.length)], ['dtypes', dtypes], ['elements', count(elements)], ['bytes', `${count(size)} (${bytes(size)})`],
  ];
  const rows = layers.map((layer) => [
    layer.name || '-',
    layer.tensors.map((tensor) => `${tensor.name} ${shape(tensor.shape)}`).join(', '),
    [...new Set(layer.tensors.map(({ dtype }) => dtype))].join(', '),
    count(layer.elements),
    bytes(layer.bytes),
  ]);
  return `${framedTable([['property', 'left'], ['value', 'left']], properties)}\n\n${framedTable([['layer', 'left'], ['tensors', 'left'], ['dtype', 'left'], ['elements', 'right'], ['bytes', 'right']], rows)}`;
}

function networkText({ kind, input, parameters, parameterBytes, layers, flops: total, peakBytes, savedBytes }: NetworkReport): string {
  const rows = layers.map((layer) => [layer.name, layer.operation, shape(layer.output), count(layer.parameters), layer.flops === 0 ? '-' : flops(layer.flops), bytes(layer.bytes)]);
  const properties = [
    ['kind', kind], ['input', shape(input)], ['parameters', `${count(parameters)} (${bytes(parameterBytes)} in fp32)`], ['FLOPs per image', flops(total)],
    ['memory, inference', bytes(peakBytes)], ['memory kept for backward', bytes(savedBytes)],
  ];
  return [
    framedTable([['layer', 'left'], ['operation', 'left'], ['output', 'left'], ['parameters', 'right'], ['FLOPs', 'right'], ['memory', 'right']], rows),
    framedTable([['network', 'left'], ['value', 'left']], properties),
    'One image in fp32, measured on a forward pass. A multiply-add is 2 FLOPs; convolutions, matrix products and attention count.',
  ].join('\n');
}
