using System.Text.Json;

namespace Espalier.Data;

/// <summary>An expression that cuts text into words.</summary>
internal enum WordExpression
{
    /// <summary>None: the text is one word.</summary>
    None,

    /// <summary>GPT-2's.</summary>
    Gpt2,

    /// <summary>Llama 3's: three digits at a time.</summary>
    Llama3,

    /// <summary>Qwen's: one digit at a time.</summary>
    Qwen,
}

/// <summary>The <c>pre_tokenizer</c> of a byte-level encoding: how text is cut into words, whose bytes are the model's.</summary>
/// <param name="Expression">What cuts it.</param>
/// <param name="AddsPrefixSpace">Whether text that begins with no space is given one.</param>
internal sealed record ByteLevelSplitting(WordExpression Expression, bool AddsPrefixSpace = false)
{
    /// <summary>Whether a cut before white space, as <see cref="Corpus"/> makes it, changes no word.</summary>
    public bool StandsCuts => Expression == WordExpression.Gpt2;

    /// <summary>The length in bytes of the word that a text, not empty, starts with.</summary>
    public int NextWord(ReadOnlySpan<byte> text) => Expression switch
    {
        WordExpression.Gpt2 => Gpt2Splitter.NextWord(text),
        WordExpression.Llama3 => Llama3Splitter.NextWord(text, mostDigits: 3),
        WordExpression.Qwen => Llama3Splitter.NextWord(text, mostDigits: 1),
        _ => text.Length,
    };

    /// <summary>Reads the <c>pre_tokenizer</c> of a file.</summary>
    public static ByteLevelSplitting FromJson(TokenizerJson json)
    {
        JsonElement part = json.Part("pre_tokenizer")
            ?? throw json.Unsupported("byte-pair encoding without a pre_tokenizer", "ByteLevel");
        if (json.String(part, "pre_tokenizer", "type") != "Sequence")
        {
            (bool useRegex, bool addsPrefixSpace) = ByteLevel(json, part);
            return new ByteLevelSplitting(useRegex ? WordExpression.Gpt2 : WordExpression.None, addsPrefixSpace);
        }

        json.AllowOnly(part, "the pre_tokenizer", "type", "pretokenizers");
        JsonElement[] steps = [.. json.Items(json.Member(part, "pre_tokenizer", "pretokenizers"), "pretokenizers")];
        return steps is [JsonElement split, JsonElement byteLevel] && ByteLevel(json, byteLevel) is (false, false)
            ? new ByteLevelSplitting(Split(json, split))
            : throw json.Unsupported("a pre_tokenizer of other steps than a Split and a ByteLevel that only writes bytes");
    }

    /// <summary>Writes the <c>pre_tokenizer</c>.</summary>
    public void Write(Utf8JsonWriter json)
    {
        if (Expression is WordExpression.None or WordExpression.Gpt2)
        {
            json.WritePropertyName("pre_tokenizer");
            WriteByteLevel(json, useRegex: Expression == WordExpression.Gpt2, AddsPrefixSpace);
            return;
        }

        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Sequence");
        json.WriteStartArray("pretokenizers");
        json.WriteStartObject();
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", Llama3Splitter.Expression(Expression == WordExpression.Qwen ? 1 : 3));
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        WriteByteLevel(json, useRegex: false, addPrefixSpace: false);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Writes an object of the type <c>ByteLevel</c>.</summary>
    public static void WriteByteLevel(Utf8JsonWriter json, bool useRegex, bool addPrefixSpace)
    {
        json.WriteStartObject();
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", addPrefixSpace);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", useRegex);
        json.WriteEndObject();
    }

    /// <summary>Reads an object of the type <c>ByteLevel</c>.</summary>
    public static (bool UseRegex, bool AddsPrefixSpace) ByteLevel(TokenizerJson json, JsonElement part, string name = "pre_tokenizer")
    {
        string type = json.String(part, name, "type");
        if (type != "ByteLevel")
        {
            throw json.Unsupported($"the {name} \"{type}\" with byte-pair encoding", "ByteLevel");
        }

        json.AllowOnly(part, $"the {name}", "type", "add_prefix_space", "trim_offsets", "use_regex");
        return (json.Flag(part, "use_regex", otherwise: true), json.Flag(part, "add_prefix_space"));
    }

    private static WordExpression Split(TokenizerJson json, JsonElement part)
    {
        string type = json.String(part, "pre_tokenizer", "type");
        json.AllowOnly(part, "the pre_tokenizer", "type", "pattern", "behavior", "invert");
        if (type == "Split" && json.String(part, "pre_tokenizer", "behavior") == "Isolated"
            && json.Member(part, "pre_tokenizer", "pattern").TryGetProperty("Regex", out JsonElement expression))
        {
            return expression.GetString() switch
            {
                string found when found == Llama3Splitter.Expression(3) => WordExpression.Llama3,
                string found when found == Llama3Splitter.Expression(1) => WordExpression.Qwen,
                _ => throw json.Unsupported("a Split by another expression than that of Llama 3 or Qwen"),
            };
        }

        throw json.Unsupported($"the pre_tokenizer \"{type}\" before ByteLevel");
    }
}
