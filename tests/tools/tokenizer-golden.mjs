// Makes tests/Espalier.Tests/golden/tokenizer/{tokenizer,cases}.json with Hugging Face's own library:
//   npm install --ignore-scripts tokenizers@0.23.2 && node tests/tools/tokenizer-golden.mjs
// The library trains byte-level BPE on training.txt and encodes awkward strings with the first 200 merges.
// With arguments, compares instead: node tests/tools/tokenizer-golden.mjs TOKENIZER.json LINES.txt IDS.txt
// encodes each line of LINES.txt and expects the ids, separated by spaces, of the same line of IDS.txt.
import { createRequire } from 'node:module';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { Tokenizer, BPE, AddedToken, byteLevelPreTokenizer, byteLevelAlphabet } =
    createRequire(join(process.cwd(), 'x.js'))('tokenizers');

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

await (process.argv.length > 2 ? compare(...process.argv.slice(2)) : make());
