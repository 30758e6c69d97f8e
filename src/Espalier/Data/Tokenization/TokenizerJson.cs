using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Data;

/// <summary>
/// A Hugging Face <c>tokenizer.json</c>, cut into its parts. Whoever reads a part names the keys that it understands;
/// any other key with a value is an error, so that nothing the file asks for is ignored.
/// </summary>
internal sealed class TokenizerJson
{
    /// <summary>More than the vocabularies of the largest models take.</summary>
    public const int MostBytes = 256 << 20;

    private readonly JsonElement _root;

    private TokenizerJson(string path, JsonElement root, TokenizerConfigFile? config = null)
    {
        Path = path;
        Config = config ?? TokenizerConfigFile.Beside(path);
        _root = root;
        Model = Part("model") ?? throw Damaged("it has no \"model\"");

        // Files older than the "type" of models hold BPE where there are merges.
        ModelType = Model.TryGetProperty("type", out _) ? String(Model, "model", "type")
            : Model.TryGetProperty("merges", out _) ? "BPE"
            : throw Damaged("its \"model\" has no \"type\"");
    }

    /// <summary>The whole file.</summary>
    public JsonElement Root => _root;

    /// <summary>The file, or the one to name when something is wrong.</summary>
    public string Path { get; }

    /// <summary>What the file beside it says.</summary>
    public TokenizerConfigFile Config { get; }

    /// <summary>The segmentation model.</summary>
    public JsonElement Model { get; }

    /// <summary>The model's type, such as <c>BPE</c>.</summary>
    public string ModelType { get; }

    /// <summary>Reads and checks the frame of a file.</summary>
    public static TokenizerJson Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(JsonFile.ReadBytes(path, MostBytes));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new UserErrorException($"{path} is not a tokenizer.json: it holds no JSON object.");
            }

            return new TokenizerJson(path, document.RootElement.Clone());
        }
        catch (JsonException e)
        {
            throw BadFile.NotJson(path, e);
        }
    }

    /// <summary>The same frame, put together from other files.</summary>
    /// <param name="path">The file to name when something is wrong.</param>
    /// <param name="root">What a <c>tokenizer.json</c> would hold.</param>
    /// <param name="config">What a <c>tokenizer_config.json</c> would say; null for what the one beside the file says.</param>
    public static TokenizerJson Of(string path, JsonObject root, TokenizerConfigFile? config = null) =>
        new(path, JsonSerializer.SerializeToElement(root), config);

    /// <summary>Refuses parts of the file that are not known.</summary>
    public void AllowOnlyKnownParts() => AllowOnly(
        _root, "the file", "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
        "post_processor", "decoder", "model");

    /// <summary>A part of the file, or null when it is missing or null.</summary>
    public JsonElement? Part(string name)
    {
        if (!_root.TryGetProperty(name, out JsonElement part) || part.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return part.ValueKind == JsonValueKind.Object ? part : throw Damaged($"\"{name}\" is not an object");
    }

    /// <summary>The added tokens.</summary>
    public List<AddedToken> AddedTokens()
    {
        var tokens = new List<AddedToken>();
        if (!_root.TryGetProperty("added_tokens", out JsonElement list) || list.ValueKind == JsonValueKind.Null)
        {
            return tokens;
        }

        foreach (JsonElement token in Items(list, "added_tokens"))
        {
            string content = String(token, "added_tokens", "content");
            string where = $"the added token \"{content}\"";

            AllowOnly(token, where, "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
            if (content.Length == 0)
            {
                throw Damaged("an added token is empty");
            }

            tokens.Add(new AddedToken(Id(Member(token, where, "id"), where), content, Flag(token, "special"))
            {
                SingleWord = Flag(token, "single_word"),
                StripsLeft = Flag(token, "lstrip"),
                StripsRight = Flag(token, "rstrip"),
                Normalized = Flag(token, "normalized"),
            });
        }

        return tokens;
    }

    /// <summary>The model's vocabulary.</summary>
    public Dictionary<string, int> Vocabulary()
    {
        if (!Model.TryGetProperty("vocab", out JsonElement vocabulary)
            || vocabulary.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array))
        {
            throw Damaged("its \"model\" has no \"vocab\"");
        }

        var ids = new Dictionary<string, int>();
        foreach ((string token, int id) in vocabulary.ValueKind == JsonValueKind.Object
            ? vocabulary.EnumerateObject().Select(entry => (entry.Name, Id(entry.Value, $"\"{entry.Name}\"")))
            : vocabulary.EnumerateArray().Select((entry, id) => (ScoredToken(entry), id)))
        {
            if (!ids.TryAdd(token, id))
            {
                throw Damaged($"\"{token}\" is in its vocabulary twice");
            }
        }

        return ids;

        string ScoredToken(JsonElement entry) =>
            entry.ValueKind == JsonValueKind.Array && entry.GetArrayLength() == 2 && entry[0].ValueKind == JsonValueKind.String
                ? entry[0].GetString()!
                : throw Damaged("its vocabulary is no list of tokens and their scores");
    }

    /// <summary>The tokens of the vocabulary by id; null where only an added token has the id.</summary>
    public string?[] TokensById(Dictionary<string, int> ids, List<AddedToken> added)
    {
        int size = ids.Values.Concat(added.Select(token => token.Id)).DefaultIfEmpty(-1).Max() + 1;
        if (size > ids.Count + added.Count)
        {
            throw Damaged($"its largest id is {size - 1}, but it has only {ids.Count + added.Count} tokens");
        }

        var tokens = new string?[size];
        foreach ((string token, int id) in ids)
        {
            tokens[id] = tokens[id] is string other ? throw Damaged($"\"{other}\" and \"{token}\" share the id {id}") : token;
        }

        foreach (AddedToken token in added)
        {
            if (tokens[token.Id] is string other && other != token.Content)
            {
                throw Damaged($"\"{other}\" and \"{token.Content}\" share the id {token.Id}");
            }

            if (ids.TryGetValue(token.Content, out int id) && id != token.Id)
            {
                throw Damaged($"\"{token.Content}\" is {id} in its vocabulary and {token.Id} among its added tokens");
            }
        }

        return tokens;
    }

    /// <summary>
    /// Refuses keys of <paramref name="element"/> that ask for something and are not among <paramref name="known"/>.
    /// </summary>
    public void AllowOnly(JsonElement element, string where, params ReadOnlySpan<string> known)
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            bool asksForNothing = property.Value.ValueKind is JsonValueKind.Null or JsonValueKind.False
                || (property.Value.ValueKind == JsonValueKind.String && property.Value.GetString() == "");
            if (!asksForNothing && !known.Contains(property.Name))
            {
                throw Unsupported($"\"{property.Name}\" of {where}");
            }
        }
    }

    /// <summary>A member that must be there.</summary>
    public JsonElement Member(JsonElement element, string where, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value)
            ? value
            : throw Damaged($"\"{where}\" has no \"{name}\"");

    /// <summary>Whether a part's <c>direction</c>, right by default, is left.</summary>
    public bool IsLeft(JsonElement part) =>
        part.TryGetProperty("direction", out JsonElement direction) && direction.ValueKind == JsonValueKind.String
            ? direction.GetString() switch
            {
                "Left" => true,
                "Right" => false,
                string other => throw Unsupported($"the direction \"{other}\"", "Left, Right"),
                null => false,
            }
            : false;

    /// <summary>A string member.</summary>
    public string String(JsonElement element, string where, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value)
            && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw Damaged($"\"{where}\" has no text \"{name}\"");

    /// <summary>A Boolean member, or <paramref name="otherwise"/> when it is missing.</summary>
    public bool Flag(JsonElement element, string name, bool otherwise = false) =>
        !element.TryGetProperty(name, out JsonElement value) ? otherwise
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : throw Damaged($"\"{name}\" is neither true nor false");

    /// <summary>A token id.</summary>
    public int Id(JsonElement value, string where) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id is >= 0 and < int.MaxValue
            ? id
            : throw Damaged($"{where} has no id that is a whole number");

    /// <summary>The items of a list.</summary>
    public JsonElement.ArrayEnumerator Items(JsonElement element, string where) =>
        element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : throw Damaged($"\"{where}\" is not a list");

    /// <summary>Writes the member <c>vocab</c>.</summary>
    public static void WriteVocabulary(Utf8JsonWriter json, string?[] tokens)
    {
        json.WriteStartObject("vocab");
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is string token)
            {
                json.WriteNumber(token, id);
            }
        }

        json.WriteEndObject();
    }

    /// <summary>An error for a file that contradicts itself or lacks something.</summary>
    public UserErrorException Damaged(string how) => new($"{Path} is not a usable tokenizer: {how}.");

    /// <summary>An error for something that Espalier's own tokenizers cannot do.</summary>
    public UnsupportedTokenizerException Unsupported(string what, string? supported = null) =>
        new($"{Path} asks for {what}, which Espalier itself does not do.", supported is null ? null : $"It does: {supported}.");
}
