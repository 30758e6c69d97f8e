using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Data;

/// <summary>
/// Turns text into token ids and back; kept on disk as a Hugging Face <c>tokenizer.json</c>. Immutable, and safe to use
/// from several threads.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>The token that stands before every document of a GPT.</summary>
    public const string EndOfTextToken = "<|endoftext|>";

    private readonly string?[] _tokens;
    private readonly TokenizerParts _parts;
    private readonly AddedTokenMatcher _inText;
    private readonly Lazy<AddedTokenMatcher> _inNormalizedText;
    private readonly Dictionary<string, int> _ids = [];
    private readonly HashSet<int> _special;
    private readonly Lazy<string[]> _asDecoded;
    private readonly Lazy<string> _fingerprint;

    /// <param name="tokens">The model's tokens by id; null where only an added token has the id, or none.</param>
    /// <param name="parts">What stands around the model.</param>
    private protected Tokenizer(string?[] tokens, TokenizerParts parts)
    {
        _tokens = tokens;
        _parts = parts;
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is string token)
            {
                _ids[token] = id;
            }
        }

        foreach (AddedToken added in parts.AddedTokens)
        {
            _ids[added.Content] = added.Id;
        }

        int?[] named = [Cls, Sep, Mask, Pad, EndOfText, ConfiguredId(parts.Config.BeginOfSequence), ConfiguredId(parts.Config.EndOfSequence)];
        _special = [.. parts.AddedTokens.Where(token => token.IsSpecial).Select(token => token.Id), .. named.OfType<int>()];
        _inText = new AddedTokenMatcher(
            parts.AddedTokens.Where(token => !token.Normalized).Select(token => (Encoding.UTF8.GetBytes(token.Content), token)));
        _inNormalizedText = new Lazy<AddedTokenMatcher>(() => new AddedTokenMatcher(
            parts.AddedTokens.Where(token => token.Normalized)
                .Select(token => (Normalize(Encoding.UTF8.GetBytes(token.Content)), token))));
        _asDecoded = new Lazy<string[]>(AsDecoded);
        _fingerprint = new Lazy<string>(() => Sha256.Of(ToJson()));
    }

    /// <summary>The number of ids, 0 to this less one; a model needs as many rows of embedding.</summary>
    public int VocabularySize => _tokens.Length;

    /// <summary>The id of <see cref="EndOfTextToken"/>, or null when the vocabulary has none.</summary>
    public int? EndOfText => IdOf(EndOfTextToken);

    /// <summary>The id of BERT's <c>[CLS]</c>, which begins an input, or null.</summary>
    public int? Cls => IdOf("[CLS]");

    /// <summary>The id of BERT's <c>[SEP]</c>, which ends a text, or null.</summary>
    public int? Sep => IdOf("[SEP]");

    /// <summary>The id of BERT's <c>[MASK]</c>, or null.</summary>
    public int? Mask => IdOf("[MASK]");

    /// <summary>The id of BERT's <c>[PAD]</c>, or of <c>&lt;pad&gt;</c>, which fills up an input, or null.</summary>
    public int? Pad => IdOf("[PAD]") ?? IdOf("<pad>");

    /// <summary>
    /// The id that begins a text: the one that the tokenizer sets before it, else the <c>bos_token</c> of a
    /// <c>tokenizer_config.json</c> beside it, else <see cref="EndOfText"/>; null for BERT, whose <see cref="Cls"/> it is.
    /// </summary>
    public int? BeginOfSequence => FirstBesides(Cls) ?? ConfiguredId(_parts.Config.BeginOfSequence) ?? EndOfText;

    /// <summary>
    /// The id that ends a text: the <c>eos_token</c> of a <c>tokenizer_config.json</c> beside the tokenizer, else
    /// <see cref="EndOfText"/>, Llama 3's <c>&lt;|end_of_text|&gt;</c> or Llama 2's <c>&lt;/s&gt;</c>; null when there is none.
    /// </summary>
    public int? EndOfSequence =>
        ConfiguredId(_parts.Config.EndOfSequence) ?? EndOfText ?? IdOf("<|end_of_text|>") ?? IdOf("</s>");

    /// <summary>Whether the tokenizer sets <see cref="BeginOfSequence"/> before a text.</summary>
    internal bool AddsBeginOfSequence => FirstBesides(Cls) is not null;

    /// <summary>The id that stands for words outside the vocabulary, or null when there are none such.</summary>
    public abstract int? Unknown { get; }

    /// <summary>Whether its splitting into words sets a space before a text, and says so by that name.</summary>
    internal bool AddsPrefixSpace =>
        JsonNode.Parse(ToJson())!["pre_tokenizer"] is JsonObject splitting
        && splitting["add_prefix_space"] is JsonValue flag && flag.GetValueKind() == JsonValueKind.True;

    /// <summary>
    /// The id that stands before every document: <see cref="EndOfText"/>, else <see cref="Sep"/>,
    /// <see cref="BeginOfSequence"/> or <see cref="EndOfSequence"/>, else null.
    /// </summary>
    public int? DocumentBoundary => EndOfText ?? Sep ?? BeginOfSequence ?? EndOfSequence;

    /// <summary>The tokens outside the model's own segmentation.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _parts.AddedTokens;

    /// <summary>
    /// Whether the ids of a <see cref="Corpus"/>'s pieces are together those of the whole text: unless an added token that
    /// is recognised in it, which is none of the special ones, could reach across the white space at which it is cut.
    /// </summary>
    internal virtual bool EncodesPieces => !AddedTokens.Any(token =>
        !token.IsSpecial && (token.StripsLeft || token.StripsRight || token.Content.Any(char.IsWhiteSpace)));

    /// <summary>SHA-256 in hexadecimal of the tokenizer as <see cref="Save"/> writes it: equal if they encode alike.</summary>
    public string Fingerprint => _fingerprint.Value;

    /// <summary>The id of a token as <c>tokenizer.json</c> writes it, or null when there is none such.</summary>
    public int? IdOf(string token) => _ids.TryGetValue(token, out int id) ? id : null;

    /// <summary>Whether an id stands for no text: an added token that is special, or one that this class has a name for.</summary>
    public bool IsSpecial(int id) => _special.Contains(id) || id == Unknown;

    /// <summary>The token ids of a text, without special tokens around it.</summary>
    /// <param name="text">Any text; a lone surrogate counts as U+FFFD.</param>
    /// <param name="allowSpecial">
    /// Whether special tokens written out in the text become their ids. Leave it off for text from elsewhere.
    /// </param>
    public int[] Encode(string text, bool allowSpecial = false) => [.. List(text, allowSpecial)];

    /// <summary>Appends the token ids of a UTF-8 text to <paramref name="ids"/>.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="ids">Where the ids go.</param>
    /// <param name="allowSpecial">Whether special tokens written out in the text become their ids.</param>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> ids, bool allowSpecial = false) =>
        EncodeText(utf8, ids, allowSpecial);

    /// <inheritdoc cref="Encode(ReadOnlySpan{byte}, List{int}, bool)"/>
    private protected virtual void EncodeText(ReadOnlySpan<byte> utf8, List<int> ids, bool allowSpecial)
    {
        if (_inText.IsEmpty || (!allowSpecial && !_inText.HasOrdinary))
        {
            EncodeNext(utf8, ids, allowSpecial, isStart: true);
            return;
        }

        int from = 0, consumed = 0;
        while (_inText.TryFind(utf8, ref from, allowSpecial, consumed, out var found))
        {
            if (consumed < found.Start)
            {
                EncodeNext(utf8[consumed..found.Start], ids, allowSpecial, isStart: consumed == 0);
            }

            ids.Add(found.Token.Id);
            consumed = found.End;
        }

        EncodeNext(utf8[consumed..], ids, allowSpecial, isStart: consumed == 0);
    }

    /// <summary>A text, or a pair of texts, as a model takes it in, with its special tokens.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">A second text.</param>
    /// <param name="maxLength">
    /// The most tokens, special ones included: what is too long loses its end, of a pair the longer text first.
    /// </param>
    /// <exception cref="UserErrorException"><paramref name="maxLength"/> has no room for the special tokens.</exception>
    public EncodedText EncodeForModel(string text, string? pair = null, int? maxLength = null) =>
        Process(text, pair, addSpecialTokens: true, maxLength is int length ? new Truncation(length) : null);

    /// <summary>
    /// A text, or a pair of texts, as Hugging Face's library encodes it with this <c>tokenizer.json</c>: cut and filled up
    /// to the lengths that the file asks for.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="pair">A second text.</param>
    /// <param name="addSpecialTokens">Whether to set special tokens around the texts.</param>
    /// <exception cref="UserErrorException">The texts cannot be cut as the file asks.</exception>
    public EncodedText EncodeAsHuggingFace(string text, string? pair = null, bool addSpecialTokens = true)
    {
        EncodedText encoded = Process(text, pair, addSpecialTokens, _parts.Truncation);
        return _parts.Padding?.Apply(encoded) ?? encoded;
    }

    /// <summary>The text of some ids; bytes that are no valid UTF-8 become U+FFFD.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="skipSpecial">Whether to leave out special tokens.</param>
    /// <exception cref="UserErrorException">An id is outside the vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        if (!skipSpecial)
        {
            return TextOf(ids);
        }

        var kept = new List<int>();
        foreach (int id in ids)
        {
            if (!_special.Contains(id))
            {
                kept.Add(id);
            }
        }

        return TextOf([.. kept]);
    }

    /// <summary>The text of some ids.</summary>
    private protected virtual string TextOf(ReadOnlySpan<int> ids) => Encoding.UTF8.GetString(DecodeToBytes(ids));

    /// <summary>Whether the bytes of some ids are those of each, one after the other.</summary>
    internal virtual bool DecodesEachAlone => false;

    /// <summary>The bytes of some ids, which need not end at the end of a character.</summary>
    /// <exception cref="UserErrorException">An id is outside the vocabulary.</exception>
    public abstract byte[] DecodeToBytes(ReadOnlySpan<int> ids);

    /// <summary>The token of an id as <c>tokenizer.json</c> writes it.</summary>
    /// <exception cref="UserErrorException">The id is outside the vocabulary.</exception>
    public string TokenOf(int id) =>
        AddedTokens.FirstOrDefault(token => token.Id == Checked(id))?.Content ?? _tokens[Checked(id)] ?? "";

    /// <summary>Saves the tokenizer as a Hugging Face <c>tokenizer.json</c>.</summary>
    /// <exception cref="UserErrorException">The file cannot be written.</exception>
    public void Save(string path) => AtomicFile.Write(path, stream => stream.Write(ToJson()));

    /// <summary>
    /// Loads a Hugging Face <c>tokenizer.json</c>, GPT-2's <c>vocab.json</c> and <c>merges.txt</c> (or <c>encoder.json</c>
    /// and <c>vocab.bpe</c>), or BERT's <c>vocab.txt</c>. What is done to text for the latter, a <c>tokenizer_config.json</c>
    /// beside it says; where none does, it is uncased if no token but those in brackets has one of the capitals A to Z.
    /// </summary>
    /// <param name="path">The file, or a folder that holds one of them.</param>
    /// <exception cref="UserErrorException">
    /// The file is missing or damaged, or asks for something that is not supported.
    /// </exception>
    public static Tokenizer Load(string path)
    {
        if (Directory.Exists(path))
        {
            string file = Path.Combine(path, "tokenizer.json");
            path = File.Exists(file) ? file : VocabularyFiles.Find(path) ?? throw new UserErrorException(
                $"{path} holds no tokenizer.", "It needs a tokenizer.json, a vocab.json with merges.txt, or a vocab.txt.");
        }

        if (VocabularyFiles.IsOne(path))
        {
            return VocabularyFiles.Load(path);
        }

        return Of(TokenizerJson.Read(path));
    }

    /// <summary>The tokenizer that a file describes: one of Espalier's own, else that of Hugging Face's library.</summary>
    internal static Tokenizer Of(TokenizerJson json)
    {
        try
        {
            json.AllowOnlyKnownParts();
            return json.ModelType switch
            {
                "BPE" when json.Flag(json.Model, "byte_fallback") => SentencePieceBpe.FromJson(json),
                "BPE" when CharacterTokenizer.Describes(json) => CharacterTokenizer.FromJson(json),
                "BPE" => ByteLevelBpe.FromJson(json),
                "WordPiece" => WordPiece.FromJson(json),
                string other => throw json.Unsupported($"the model \"{other}\"", "BPE, WordPiece"),
            };
        }
        catch (UnsupportedTokenizerException reason)
        {
            return HuggingFaceTokenizer.FromJson(json, reason);
        }
    }

    /// <summary>
    /// The tokenizer that sets something between the texts of a pair: this one where it does, else one that sets what a line
    /// break is encoded as. Not the token that ends a text: it fills short inputs up too, and where transformers looks for
    /// the first of these (before 4.49), it would take the first text for the whole.
    /// </summary>
    /// <exception cref="UserErrorException">The vocabulary has no line break.</exception>
    internal Tokenizer ForPairs()
    {
        if (_parts.PostProcessor.Separates)
        {
            return this;
        }

        int[] separator = Encode("\n");
        if (separator.Length == 0 || separator.Any(IsSpecial))
        {
            throw new UserErrorException(
                "The model's tokenizer has neither [SEP] nor a line break to stand between the texts of a pair.",
                "Use a model whose tokenizer has one of them.");
        }

        JsonObject json = JsonNode.Parse(ToJson())!.AsObject();
        json["post_processor"] = JsonNode.Parse(_parts.PostProcessor.WithSeparator(separator, TokenOf).Source!.Value.GetRawText());
        return Of(TokenizerJson.Of("tokenizer.json", json, _parts.Config));
    }

    /// <summary>Appends the ids of a text in which no added token is to be recognised.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="ids">Where the ids go.</param>
    /// <param name="isStart">Whether nothing stands before it.</param>
    private protected abstract void EncodeOrdinary(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart);

    /// <summary>The same for text that has been normalized.</summary>
    private protected virtual void EncodeNormalized(ReadOnlySpan<byte> utf8, List<int> ids, bool isStart) =>
        EncodeOrdinary(utf8, ids, isStart);

    /// <summary>The text as the model sees it, before it is cut into words.</summary>
    private protected virtual byte[] Normalize(ReadOnlySpan<byte> utf8) => utf8.ToArray();

    /// <summary>Writes the members <c>normalizer</c> and <c>pre_tokenizer</c>.</summary>
    private protected virtual void WriteSplitting(Utf8JsonWriter json) => throw new NotSupportedException();

    /// <summary>Writes the members <c>decoder</c> and <c>model</c>.</summary>
    private protected virtual void WriteModel(Utf8JsonWriter json) => throw new NotSupportedException();

    /// <summary>Refuses an id outside the vocabulary.</summary>
    private protected int Checked(int id) => (uint)id < (uint)_tokens.Length
        ? id
        : throw new UserErrorException($"Token id {id} is outside the vocabulary of {VocabularySize} tokens.");

    /// <summary>The token of an id as it is decoded: as Hugging Face has it, in its normalized form where it has one.</summary>
    private protected string DecodedToken(int id) => _asDecoded.Value[Checked(id)];

    private string[] AsDecoded()
    {
        string[] tokens = [.. _tokens.Select(token => token ?? "")];
        foreach (AddedToken added in AddedTokens)
        {
            tokens[added.Id] = added.Normalized
                ? Encoding.UTF8.GetString(Normalize(Encoding.UTF8.GetBytes(added.Content)))
                : added.Content;
        }

        return tokens;
    }

    private int? FirstBesides(int? id) => _parts.PostProcessor.First is int first && first != id ? first : null;

    private int? ConfiguredId(string? token) => token is null ? null : IdOf(token);

    private List<int> List(string text, bool allowSpecial)
    {
        var ids = new List<int>();
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        Encode(bytes.AsSpan(0, Encoding.UTF8.GetBytes(text, bytes)), ids, allowSpecial);
        ArrayPool<byte>.Shared.Return(bytes);
        return ids;
    }

    private EncodedText Process(string text, string? pair, bool addSpecialTokens, Truncation? truncation)
    {
        List<int> ids = List(text, allowSpecial: true);
        List<int>? pairIds = pair is null ? null : List(pair, allowSpecial: true);
        truncation?.Apply(ids, pairIds, addSpecialTokens ? _parts.PostProcessor.Added(pair is not null) : 0);
        return _parts.PostProcessor.Apply(ids, pairIds, addSpecialTokens);
    }

    /// <summary>Encodes what stands between the added tokens that are looked for in the text as it is.</summary>
    private void EncodeNext(ReadOnlySpan<byte> utf8, List<int> ids, bool allowSpecial, bool isStart)
    {
        AddedTokenMatcher matcher = _inNormalizedText.Value;
        if (matcher.IsEmpty || (!allowSpecial && !matcher.HasOrdinary))
        {
            EncodeOrdinary(utf8, ids, isStart);
            return;
        }

        byte[] normalized = Normalize(utf8);
        int from = 0, consumed = 0;
        while (matcher.TryFind(normalized, ref from, allowSpecial, consumed, out var found))
        {
            if (consumed < found.Start)
            {
                EncodeNormalized(normalized.AsSpan(consumed..found.Start), ids, isStart && consumed == 0);
            }

            ids.Add(found.Token.Id);
            consumed = found.End;
        }

        EncodeNormalized(normalized.AsSpan(consumed), ids, isStart && consumed == 0);
    }

    /// <summary>The tokenizer as <c>tokenizer.json</c>, always the same bytes for the same tokenizer.</summary>
    private byte[] ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions
        {
            Indented = true,
            NewLine = "\n",
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            Write(json);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Writes the whole <c>tokenizer.json</c>.</summary>
    private protected virtual void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        WritePart(json, "truncation", _parts.Source.Truncation);
        WritePart(json, "padding", _parts.Source.Padding);
        WriteAddedTokens(json);
        WriteSplitting(json);
        WritePart(json, "post_processor", _parts.PostProcessor.Source);
        WriteModel(json);
        json.WriteEndObject();
    }

    private static void WritePart(Utf8JsonWriter json, string name, JsonElement? part)
    {
        json.WritePropertyName(name);
        if (part is JsonElement element)
        {
            element.WriteTo(json);
        }
        else
        {
            json.WriteNullValue();
        }
    }

    private void WriteAddedTokens(Utf8JsonWriter json)
    {
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in AddedTokens)
        {
            json.WriteStartObject();
            json.WriteNumber("id", token.Id);
            json.WriteString("content", token.Content);
            json.WriteBoolean("single_word", token.SingleWord);
            json.WriteBoolean("lstrip", token.StripsLeft);
            json.WriteBoolean("rstrip", token.StripsRight);
            json.WriteBoolean("normalized", token.Normalized);
            json.WriteBoolean("special", token.IsSpecial);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
