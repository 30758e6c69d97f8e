using System.Text.Json;

namespace Espalier.Data;

/// <summary>
/// A Hugging Face <c>tokenizer.json</c>, cut into its parts. Whoever reads a part names the keys that it understands;
/// any other key with a value is an error, so that nothing the file asks for is ignored.
/// </summary>
internal sealed class TokenizerJson
{
    private readonly string _path;
    private readonly JsonElement _root;

    private TokenizerJson(string path, JsonElement root)
    {
        _path = path;
        _root = root;
        Model = Part("model") ?? throw Damaged("it has no \"model\"");

        // Files older than the "type" of models hold BPE where there are merges.
        ModelType = Model.TryGetProperty("type", out _) ? String(Model, "model", "type")
            : Model.TryGetProperty("merges", out _) ? "BPE"
            : throw Damaged("its \"model\" has no \"type\"");
    }

    /// <summary>The segmentation model.</summary>
    public JsonElement Model { get; }

    /// <summary>The model's type, such as <c>BPE</c>.</summary>
    public string ModelType { get; }

    /// <summary>Reads and checks the frame of a file.</summary>
    public static TokenizerJson Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new UserErrorException($"{path} is not a tokenizer.json: it holds no JSON object.");
            }

            var json = new TokenizerJson(path, document.RootElement.Clone());
            json.AllowOnly(json._root, "the file", "version", "added_tokens", "pre_tokenizer", "post_processor", "decoder", "model");
            return json;
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path} is not valid JSON: {e.Message}", inner: e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {e.Message}", inner: e);
        }
    }

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

            // "normalized" decides nothing where there is no normalizer.
            AllowOnly(token, where, "id", "content", "special", "normalized");
            if (content.Length == 0)
            {
                throw Damaged("an added token is empty");
            }

            tokens.Add(new AddedToken(Id(token.GetProperty("id"), where), content, Flag(token, "special")));
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
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id >= 0
            ? id
            : throw Damaged($"{where} has no id that is a whole number");

    /// <summary>The items of a list.</summary>
    public JsonElement.ArrayEnumerator Items(JsonElement element, string where) =>
        element.ValueKind == JsonValueKind.Array ? element.EnumerateArray() : throw Damaged($"\"{where}\" is not a list");

    /// <summary>An error for a file that contradicts itself or lacks something.</summary>
    public UserErrorException Damaged(string how) => new($"{_path} is not a usable tokenizer.json: {how}.");

    /// <summary>An error for something that this program cannot do.</summary>
    public UserErrorException Unsupported(string what, string? supported = null) =>
        new($"{_path} asks for {what}, which is not supported.", supported is null ? null : $"Supported: {supported}.");
}
