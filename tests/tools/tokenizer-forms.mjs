// Makes tests/Espalier.Tests/golden/tokenizer/forms/*.json with Hugging Face's own library:
//   npm install --ignore-scripts tokenizers@0.23.2 && node tests/tools/tokenizer-forms.mjs
// For each form of tokenizer: NAME.json, with a vocabulary learned from generated text, and in hashes.json two hashes for
// each chunk of generated strings, of their ids and of what these decode to. strings.json says what strings are made of; the
// test makes the same ones (tests/Espalier.Tests/Data/GeneratedStrings.cs).
import { createRequire } from 'node:module';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const hf = createRequire(join(process.cwd(), 'x.js'))('tokenizers');
const folder = join(import.meta.dirname, '../Espalier.Tests/golden/tokenizer/forms');
const material = JSON.parse(readFileSync(join(folder, 'strings.json'), 'utf8'));
const kinds = [...material.ranges, ...material.snippets];
const MERGES = 400, TRAINING_SEED = 1_000_000, TRAINING_CHUNKS = 20;

/** Numbers in [0, n). */
function random(seed) {
    let state = seed >>> 0;
    return n => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        let x = Math.imul(state ^ (state >>> 16), 0x45d9f3b);
        x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
        return ((x ^ (x >>> 14)) >>> 0) % n;
    };
}

function chunk(seed) {
    const draw = random(seed);
    return Array.from({ length: material.strings_per_chunk }, () => {
        const few = Array.from({ length: 1 + draw(4) }, () => kinds[draw(kinds.length)]);
        let text = '';
        for (let length = draw(40); length > 0; length--) {
            if (draw(6) === 0) {
                text += ' ';
                continue;
            }
            const kind = few[draw(few.length)];
            if (typeof kind[0] === 'string') {
                text += kind[draw(kind.length)];
            } else {
                const c = kind[0] + draw(kind[1] - kind[0] + 1);
                text += c >= 0xd800 && c < 0xe000 ? '?' : String.fromCodePoint(c);
            }
        }
        return text;
    });
}

/** FNV-1a. */
const hashOf = (values, hash = 0x811c9dc5) => values.reduce((h, v) => Math.imul(h ^ v, 0x01000193) >>> 0, hash);
const END = 0xffffffff | 0, hex = h => h.toString(16).padStart(8, '0');

const work = mkdtempSync(join(tmpdir(), 'forms-'));
const trainingFile = join(work, 'training.txt');
const addedTokens = material.snippets.find(kind => kind.includes('[NEW]'));
const training = Array.from({ length: TRAINING_CHUNKS }, (_, i) => chunk(TRAINING_SEED + i)).flat()
    .map(text => addedTokens.reduce((rest, content) => rest.replaceAll(content, ''), text));
writeFileSync(trainingFile, training.join('\n'));

/** The first merges that the library learns, and the characters that it starts from. */
function learn(preTokenizer, normalizer) {
    const tokenizer = new hf.Tokenizer(hf.BPE.empty());
    tokenizer.setPreTokenizer(preTokenizer);
    if (normalizer) {
        tokenizer.setNormalizer(normalizer);
    }
    tokenizer.train([trainingFile]);
    const file = join(work, 'learned.json');
    tokenizer.save(file);
    const { merges, vocab } = JSON.parse(readFileSync(file, 'utf8')).model;
    return { merges: merges.slice(0, MERGES), characters: Object.keys(vocab).filter(token => [...token].length === 1) };
}

const numbered = tokens => Object.fromEntries([...new Set(tokens)].map((token, id) => [token, id]));
const added = (id, content, more) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...more });
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false };
const bpe = (vocab, merges, more) => ({
    type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false,
    byte_fallback: false, ignore_merges: false, vocab, merges, ...more,
});
const template = (token, id) => ({
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [
        { SpecialToken: { id: token, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } },
        { SpecialToken: { id: token, type_id: 1 } }, { Sequence: { id: 'B', type_id: 1 } },
    ],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
});
const file = parts => ({
    version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null,
    decoder: null, ...parts,
});

const expression = digits => '(?i:\'s|\'t|\'re|\'ve|\'m|\'ll|\'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|' + digits
    + '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

function byteLevelForm(digits, { normalizer, special, wholeWords, more }) {
    const split = { type: 'Split', pattern: { Regex: expression(digits) }, behavior: 'Isolated', invert: false };
    const preTokenizer = { type: 'Sequence', pretokenizers: [split, byteLevel] };
    // JavaScript has no way to make a Split by an expression but to read one.
    const cutter = hf.Tokenizer.fromString(JSON.stringify(file({ pre_tokenizer: preTokenizer, model: bpe({}, []) }))).getPreTokenizer();
    const { merges } = learn(cutter, normalizer === 'NFC' ? hf.nfcNormalizer() : null);
    const alphabet = hf.byteLevelAlphabet().sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
    const words = wholeWords ? training.slice(0, 200).flatMap(text => cutter.preTokenizeString(text).map(([word]) => word)) : [];
    const vocab = numbered([...alphabet, ...merges.map(([a, b]) => a + b), ...words]);
    const first = Object.keys(vocab).length;
    return file({
        added_tokens: [...special.map((token, i) => added(first + i, token)), added(first + special.length, '[NEW]', { special: false, lstrip: true, normalized: true })],
        normalizer: normalizer ? { type: normalizer } : null, pre_tokenizer: preTokenizer,
        post_processor: special.length > 1
            ? { type: 'Sequence', processors: [{ ...byteLevel, use_regex: true }, template(special[0], first)] }
            : byteLevel,
        decoder: { ...byteLevel, add_prefix_space: true, use_regex: true },
        model: bpe(vocab, merges, more),
    });
}

const VISIBLE = '\u2581';
const replaceSpaces = { type: 'Replace', pattern: { String: ' ' }, content: VISIBLE };
const restored = [
    { type: 'Replace', pattern: { String: VISIBLE }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' },
    { type: 'Strip', content: ' ', start: 1, stop: 0 },
];
const metaspace = (prepend_scheme, split) => ({ type: 'Metaspace', replacement: VISIBLE, prepend_scheme, split });

function sentencePieceForm(parts, split) {
    const { merges, characters } = learn(hf.metaspacePreTokenizer(VISIBLE, 'always', split));
    const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
    const used = characters.filter(c => c.codePointAt(0) < 0x250 || c === VISIBLE || merges.some(pair => pair.includes(c)));
    const vocab = numbered(['<unk>', '<s>', '</s>', ...bytes, ...used, ...merges.map(([a, b]) => a + b)]);
    const normalized = parts.normalizer !== undefined;
    return file({
        added_tokens: [...['<unk>', '<s>', '</s>'].map((token, id) => added(id, token, { normalized })), added(Object.keys(vocab).length, '[NEW]', { special: false })],
        post_processor: template('<s>', 1), decoder: { type: 'Sequence', decoders: restored },
        model: bpe(vocab, merges, { unk_token: '<unk>', fuse_unk: true, byte_fallback: true }), ...parts,
    });
}

function unigram() {
    const counts = new Map();
    for (const word of training.flatMap(text => hf.metaspacePreTokenizer().preTokenizeString(text).map(([word]) => word))) {
        const characters = [...word];
        for (let from = 0; from < characters.length; from++) {
            for (let length = 1; length <= Math.min(4, characters.length - from); length++) {
                const piece = characters.slice(from, from + length).join('');
                counts.set(piece, (counts.get(piece) ?? 0) + length);
            }
        }
    }
    const pieces = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 800);
    return file({
        added_tokens: ['<unk>', '<s>', '</s>'].map((token, id) => added(id, token)),
        normalizer: { type: 'NFKC' }, pre_tokenizer: metaspace('always', true), decoder: metaspace('always', true),
        post_processor: template('<s>', 1),
        model: { type: 'Unigram', unk_id: 0, byte_fallback: false, vocab: [
            ['<unk>', 0], ['<s>', 0], ['</s>', 0], ...pieces.map(([piece, count]) => [piece, Math.round(1000 * Math.log(count / 1e5)) / 1000]),
        ] },
    });
}

function wordLevel() {
    const words = training.flatMap(text => hf.whitespacePreTokenizer().preTokenizeString(text).map(([word]) => word));
    const vocab = numbered(['<unk>', ...words.slice(0, 1500)]);
    return file({
        added_tokens: [added(0, '<unk>'), added(Object.keys(vocab).length, '<s>')],
        normalizer: { type: 'Lowercase' }, pre_tokenizer: { type: 'Whitespace' }, model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
    });
}

function characters() {
    const { merges, characters } = learn(hf.whitespaceSplitPreTokenizer());
    const vocab = numbered(['<unk>', ...characters.filter(c => c.codePointAt(0) < 0x400 || merges.some(pair => pair.includes(c))), ...merges.map(([a, b]) => a + b)]);
    return file({
        added_tokens: [added(0, '<unk>'), added(Object.keys(vocab).length, '[NEW]', { special: false })],
        pre_tokenizer: { type: 'WhitespaceSplit' }, model: bpe(vocab, merges, { unk_token: '<unk>' }),
    });
}

function missingBytes() {
    const json = byteLevelForm('\\p{N}', { special: ['<|endoftext|>'] });
    const isLost = token => /[\u0100-\u0105\u00fa-\u00ff]/.test(token);
    json.model.merges = json.model.merges.filter(pair => !isLost(pair.join('')));
    json.model.vocab = numbered(Object.keys(json.model.vocab).filter(token => !isLost(token)));
    json.added_tokens.forEach((token, i) => { token.id = Object.keys(json.model.vocab).length + i; });
    return json;
}

const forms = {
    'llama3': byteLevelForm('\\p{N}{1,3}', { special: ['<|begin_of_text|>', '<|endoftext|>'], wholeWords: true, more: { ignore_merges: true } }),
    'qwen': byteLevelForm('\\p{N}', { special: ['<|endoftext|>'], normalizer: 'NFC' }),
    'llama2': sentencePieceForm({ normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: VISIBLE }, replaceSpaces] } }, false),
    'metaspace-first': sentencePieceForm({ pre_tokenizer: metaspace('first', false) }, false),
    'metaspace-split': sentencePieceForm({ pre_tokenizer: metaspace('always', true) }, true),
    'unigram': unigram(),
    'word-level': wordLevel(),
    'characters': characters(),
    'missing-bytes': missingBytes(),
};

const hashes = {};
for (const [name, json] of Object.entries(forms)) {
    const path = join(folder, `${name}.json`);
    writeFileSync(path, JSON.stringify(json) + '\n');
    const tokenizer = hf.Tokenizer.fromFile(path);
    hashes[name] = [];
    for (let seed = 1; seed <= material.chunks; seed++) {
        let ids = undefined, texts = undefined;
        for (const text of chunk(seed)) {
            const encoded = (await tokenizer.encode(text)).getIds();
            ids = hashOf([...encoded, END], ids);
            texts = hashOf([...Buffer.from(await tokenizer.decode(encoded, false), 'utf8'), END], texts);
        }
        hashes[name].push(`${hex(ids)} ${hex(texts)}`);
    }
    console.log(`${name}: ${material.chunks * material.strings_per_chunk} strings`);
}
writeFileSync(join(folder, 'hashes.json'), JSON.stringify(hashes, null, 1) + '\n');
rmSync(work, { recursive: true });
