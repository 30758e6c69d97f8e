// Makes tests/Espalier.Tests/golden/tokenizer/{tokenizer,cases,bert-*,bert-*-cases}.json with Hugging Face's own library:
//   npm install --ignore-scripts tokenizers@0.23.2 && node tests/tools/tokenizer-golden.mjs
// The library trains byte-level BPE on training.txt and encodes awkward strings with the first 200 merges. For BERT, the
// vocabularies are beginnings and ends of the words of training.txt.
// With arguments, compares instead: node tests/tools/tokenizer-golden.mjs TOKENIZER.json LINES.txt IDS.txt
// encodes each line of LINES.txt and expects the ids, separated by spaces, of the same line of IDS.txt.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const {
    Tokenizer, BPE, WordPiece, AddedToken, byteLevelPreTokenizer, byteLevelAlphabet, bertNormalizer, bertPreTokenizer,
    bertProcessing, templateProcessing, wordPieceDecoder,
} = createRequire(join(process.cwd(), 'x.js'))('tokenizers');

const MERGES = 200;
const folder = join(import.meta.dirname, '../Espalier.Tests/golden/tokenizer');
const EOT = '<|endoftext|>';

async function compare(tokenizerFile, linesFile, idsFile) {
    const tokenizer = Tokenizer.fromFile(tokenizerFile);
    const lines = readFileSync(linesFile, 'utf8').split('\n');
    const expected = readFileSync(idsFile, 'utf8').split('\n');
    let differing = 0, tokens = 0, undecoded = 0;
    for (let i = 0; i < lines.length; i++) {
        const ids = (await tokenizer.encode(lines[i])).getIds();
        tokens += ids.length;
        if (ids.join(' ') !== expected[i]) {
            differing++;
        }
        if (await tokenizer.decode(ids, false) !== lines[i]) {
            undecoded++;
        }
    }
    console.log(`${lines.length} lines, ${tokens} tokens, ${differing} lines differ, ${undecoded} lines do not decode to themselves`);
    process.exitCode = differing > 0 ? 1 : 0;
}

async function make() {
    const trained = new Tokenizer(BPE.empty());
    trained.setPreTokenizer(byteLevelPreTokenizer(false, true));
    trained.train([join(folder, 'training.txt')]);
    const goldenFile = join(folder, 'tokenizer.json');
    trained.save(goldenFile);
    const json = JSON.parse(readFileSync(goldenFile, 'utf8'));
    const merges = json.model.merges.slice(0, MERGES);

    const alphabet = byteLevelAlphabet().sort((a, b) => a.codePointAt(0) - b.codePointAt(0));
    const tokens = [...new Set([...alphabet, ...merges.map(([a, b]) => a + b)]), EOT];
    json.model.vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
    json.model.merges = merges;
    json.decoder = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    const tokenizer = Tokenizer.fromString(JSON.stringify(json));
    const texts = [
        '', ' ', 'a', '\n', 'The gardener grows a tree.', "it's we've I'd she'll they're 'tis ''s 'S x'y",
        '  leading  double  spaces\tand\ttabs\n\nnewlines ', 'trailing   ', '\r\n\r\n x', ' \n a', 'a\u00a0b \u3000c\u2028d',
        '1,234.56 % 3.14e-10 Ⅷ ½ ²', 'Zwölf Bäume: größer, très vite', 'Деревья 春に木は 한국어 العربية',
        '𝕊𝕠 𐐷𐐷 letters beyond U+FFFF 𝟙𝟚', '🌳🌲 trees 👩‍🌾👩🏽‍🌾 e\u0301e\u0301', 'aaaaaaaaaaaaaaa ------- =====', '\0\x01\x7f\x80\u00ad',
        'before<|endoftext|>after <|endoftext|><|endoftext|>', '<|endoftext', 'x'.repeat(300),
        readFileSync(join(folder, 'training.txt'), 'utf8'),
    ];
    const ordinary = [];
    for (const text of texts) {
        ordinary.push((await tokenizer.encode(text)).getIds());
    }
    tokenizer.addAddedTokens([new AddedToken(EOT, true, { normalized: false })]);
    const cases = [];
    for (let i = 0; i < texts.length; i++) {
        cases.push({ text: texts[i], ids: ordinary[i], ids_with_special: (await tokenizer.encode(texts[i])).getIds() });
    }
    tokenizer.save(goldenFile, true);
    writeFileSync(join(folder, 'cases.json'), `[\n${cases.map(c => JSON.stringify(c)).join(',\n')}\n]\n`);
}

/** Strings over the characters where BERT's rules meet, the same in every run. */
function awkward(count) {
    let state = 1;
    const draw = n => (state = (Math.imul(state, 48271) >>> 0) % 2147483647) % n;
    const parts = [
        'the', 'Tree', 'GARDEN', 'grow', 'ing', 'É', 'e\u0301', 's\u0323\u0307', '\u1e69', '\u212b', '=\u0338', 'İ', 'ß', 'Σ', 'ǅ', '½',
        '漢', '字', '\uf900', '\u{20000}', 'かな', '한글', '각', '\u1100\u1161', 'привет', 'Ђ', 'न\u093c', '\u302e\u302f', '\u0345\u0301',
        '🌳', '👩\u200d🌾', '\u200b', '\u00a0', '\u3000', '\u2028', '\u0085', '\u00ad', '\ufeff', '\u0000', '\u0007', '\u000b', '\ufffd',
        '\t', '\n', '.', ',', "'s", "n't", ' \' ', '$', '—', '¿', '、', '\u166d', '\u2e44', '\u1734', '\u08d4', '\u{1e130}', '\u{16ea0}', '\u0378',
        '[MASK]', '[mask]', '[SEP]', '[CLS', ' <new> ', '<newer>', ' <NEW>', 'word<one>', ' <one> ', 'do not', '##ing', ' ', ' ', ' ', ' ',
    ];
    return Array.from({ length: count }, () => Array.from({ length: draw(12) }, () => parts[draw(parts.length)]).join(''));
}

async function makeBert(name, lowercase, stripAccents, processor) {
    const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'], counts = new Map();
    const normalizer = bertNormalizer({ lowercase, stripAccents });
    for (const word of normalizer.normalizeString(readFileSync(join(folder, 'training.txt'), 'utf8')).split(/[^\p{L}]+/u)) {
        for (let length = 1; length <= Math.min(word.length, 6); length++) {
            [word.slice(0, length), `##${word.slice(-length)}`].forEach(piece => counts.set(piece, (counts.get(piece) ?? 0) + 1));
        }
    }
    const pieces = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 400).map(([piece]) => piece);
    const more = ['.', ',', "'", '$', '—', '漢', '字', 'п', '##р', '##и', '=', 'ß', '##ß', 'é', '##é', '[', ']', '#', 'n', 't', 'do', 'not', 'ᄒ', '##ᅡ'];
    const vocabulary = Object.fromEntries([...new Set([...special, ...pieces, ...more])].map((token, id) => [token, id]));
    const tokenizer = new Tokenizer(WordPiece.init(vocabulary, { unkToken: '[UNK]', maxInputCharsPerWord: 20 }));
    tokenizer.setNormalizer(normalizer);
    tokenizer.setPreTokenizer(bertPreTokenizer());
    tokenizer.setDecoder(wordPieceDecoder('##', true));
    const [cls, sep] = [['[CLS]', 2], ['[SEP]', 3]];
    tokenizer.setPostProcessor(processor === 'bert'
        ? bertProcessing(sep, cls)
        : templateProcessing('[CLS] $A [SEP]', '[CLS] $A [SEP] $B:1 [SEP]:1', [cls, sep]));
    tokenizer.addSpecialTokens(special);
    tokenizer.addAddedTokens([
        new AddedToken('<New>', false, { normalized: true }),
        new AddedToken('<one>', false, { normalized: false, singleWord: true, leftStrip: true, rightStrip: true }),
    ]);
    tokenizer.save(join(folder, `${name}.json`), true);
    const texts = ['', ' ', ...awkward(200), 'x'.repeat(20), 'x'.repeat(21), 'é'.repeat(21)];
    const cases = [];
    for (let i = 0; i < texts.length; i++) {
        const pair = texts[(i * 7) % texts.length];
        const ids = (await tokenizer.encode(texts[i], null, { addSpecialTokens: false })).getIds();
        tokenizer.setTruncation(9 + i % 8);
        const both = await tokenizer.encode(texts[i], pair, { addSpecialTokens: true });
        tokenizer.disableTruncation();
        cases.push({
            text: texts[i], ids, decoded: await tokenizer.decode(ids, false),
            pair, max_length: 9 + i % 8, pair_ids: both.getIds(), type_ids: both.getTypeIds(),
            pair_decoded: await tokenizer.decode(both.getIds(), true),
        });
    }
    writeFileSync(join(folder, `${name}-cases.json`), `[\n${cases.map(c => JSON.stringify(c)).join(',\n')}\n]\n`);
}

async function makeAll() {
    await make();
    await makeBert('bert-uncased', true, undefined, 'template');
    await makeBert('bert-cased', false, false, 'bert');
    await makeBert('bert-accents', true, false, 'template');
}

await (process.argv.length > 2 ? compare(...process.argv.slice(2)) : makeAll());
