using System.Text.Json.Nodes;

namespace Espalier.Data;

/// <summary>What <c>tokenizer_config.json</c> beside a <c>tokenizer.json</c> says that the latter has no place for.</summary>
/// <param name="BeginOfSequence">The <c>bos_token</c>, or null.</param>
/// <param name="EndOfSequence">The <c>eos_token</c>, or null.</param>
internal sealed record TokenizerConfigFile(string? BeginOfSequence, string? EndOfSequence)
{
    /// <summary>Its name.</summary>
    public const string FileName = "tokenizer_config.json";

    /// <summary>Reads the one beside a file; without one, nothing is said.</summary>
    /// <exception cref="UserErrorException">It is no JSON object.</exception>
    public static TokenizerConfigFile Beside(string tokenizerFile)
    {
        string path = Path.Combine(Path.GetDirectoryName(tokenizerFile) ?? "", FileName);
        if (!File.Exists(path))
        {
            return new TokenizerConfigFile(null, null);
        }

        var json = JsonFile.ReadObject(path);
        return new TokenizerConfigFile(Token(json["bos_token"]), Token(json["eos_token"]));
    }

    /// <summary>What the file says of a tokenizer: the class that takes <c>tokenizer.json</c> as it stands, and its tokens.</summary>
    public static JsonObject Of(Tokenizer tokenizer)
    {
        var json = new JsonObject { ["tokenizer_class"] = "PreTrainedTokenizerFast" };
        foreach ((string name, int? id) in new[]
        {
            ("bos_token", tokenizer.BeginOfSequence), ("eos_token", tokenizer.EndOfSequence),
            ("cls_token", tokenizer.Cls), ("mask_token", tokenizer.Mask), ("pad_token", tokenizer.Pad),
            ("sep_token", tokenizer.Sep), ("unk_token", tokenizer.Unknown),
        })
        {
            if (id is int token)
            {
                json[name] = tokenizer.TokenOf(token);
            }
        }

        // Where it says nothing, transformers takes the space before a text that tokenizer.json asks for away again.
        if (tokenizer.AddsPrefixSpace)
        {
            json["add_prefix_space"] = true;
        }

        // The decoder of tokenizer.json does what is to be done; transformers 4 would take more spaces out of every text.
        json["clean_up_tokenization_spaces"] = false;

        if (tokenizer.AddsBeginOfSequence)
        {
            json["add_bos_token"] = true;
        }

        return json;
    }

    /// <summary>A token, written as its text or as an object that holds it.</summary>
    private static string? Token(JsonNode? token) =>
        (token is JsonObject described ? described["content"] : token) is JsonValue value && value.TryGetValue(out string? text) ? text : null;
}
