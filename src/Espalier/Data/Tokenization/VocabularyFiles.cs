using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Data;

/// <summary>
/// Tokenizers as they were kept before <c>tokenizer.json</c>: GPT-2's <c>vocab.json</c> and <c>merges.txt</c> (also named
/// <c>encoder.json</c> and <c>vocab.bpe</c>), and BERT's <c>vocab.txt</c>. What these do not say is taken from a
/// <c>tokenizer_config.json</c> beside them, or else is as those models have it.
/// </summary>
internal static class VocabularyFiles
{
    private const string ConfigName = "tokenizer_config.json";

    private static readonly (string Vocabulary, string Merges)[] Gpt2Names =
        [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")];

    private static readonly byte[] MergesHeader = [.. "#version"u8];

    /// <summary>The vocabulary in a folder, or null when there is none.</summary>
    public static string? Find(string folder) => Gpt2Names.Select(names => names.Vocabulary).Append("vocab.txt")
        .Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <summary>Whether a file is one of these rather than a <c>tokenizer.json</c>, by its name.</summary>
    public static bool IsOne(string path) => Path.GetExtension(path) is ".txt" or ".bpe"
        || Gpt2Names.Any(names => path.EndsWith(names.Vocabulary, StringComparison.Ordinal));

    /// <summary>Loads the tokenizer that a file belongs to.</summary>
    /// <exception cref="UserErrorException">The file or the one that belongs to it is missing or damaged.</exception>
    public static Tokenizer Load(string path)
    {
        try
        {
            foreach ((string vocabulary, string merges) in Gpt2Names)
            {
                // Either file of the two may be named, and both may carry the same prefix: gpt2-vocab.json.
                if (path.EndsWith(vocabulary, StringComparison.Ordinal) || path.EndsWith(merges, StringComparison.Ordinal))
                {
                    string prefix = path[..^(path.EndsWith(merges, StringComparison.Ordinal) ? merges : vocabulary).Length];
                    return Gpt2(prefix + vocabulary, prefix + merges);
                }
            }

            return Bert(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw BadFile.Unreadable(path, e);
        }
    }

    private static Tokenizer Gpt2(string vocabularyFile, string mergesFile)
    {
        foreach ((string file, string other) in new[] { (vocabularyFile, mergesFile), (mergesFile, vocabularyFile) })
        {
            if (!File.Exists(file))
            {
                throw new UserErrorException($"{other} is of no use without {file}, which does not exist.");
            }
        }

        var vocabulary = JsonFile.ReadObject(vocabularyFile, TokenizerJson.MostBytes);
        var merges = new JsonArray();
        foreach (string line in Lines(mergesFile).Where(line => line.Length > 0))
        {
            if (merges.Count > 0 || !line.AsSpan().StartsWith("#version", StringComparison.Ordinal))
            {
                merges.Add(line);
            }
        }

        JsonObject byteLevel = new()
        {
            ["type"] = "ByteLevel",
            ["add_prefix_space"] = Setting(vocabularyFile, "add_prefix_space") ?? false,
            ["trim_offsets"] = true,
            ["use_regex"] = true,
        };
        var added = new JsonArray();
        if (vocabulary.TryGetPropertyValue(Tokenizer.EndOfTextToken, out JsonNode? end))
        {
            added.Add(new JsonObject
            {
                ["id"] = end?.DeepClone(), ["content"] = Tokenizer.EndOfTextToken, ["special"] = true,
            });
        }

        return Tokenizer.Of(TokenizerJson.Of(vocabularyFile, new JsonObject
        {
            ["added_tokens"] = added,
            ["pre_tokenizer"] = byteLevel,
            ["decoder"] = byteLevel.DeepClone(),
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = merges },
        }));
    }

    private static WordPiece Bert(string path)
    {
        using (FileStream file = OrdinaryFile.Open(path))
        {
            var start = new byte[MergesHeader.Length];
            if (file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length
                && start.AsSpan().SequenceEqual(MergesHeader))
            {
                throw new UserErrorException(
                    $"{path} holds merges of byte-pair encoding.", "Name it merges.txt, with its vocab.json beside it.");
            }
        }

        if (Setting(path, "do_basic_tokenize") == false)
        {
            throw new UserErrorException(
                $"{ConfigOf(path)}: \"do_basic_tokenize\": false is not supported.",
                "Espalier splits text at spaces and punctuation before it looks words up, as published models of BERT do.");
        }

        string[] tokens = [.. Lines(path).Select(line => line.TrimEnd())];

        // An uncased vocabulary has no capitals of Latin: its only ones are those of tokens in brackets, [CLS] and the like.
        bool lowercase = Setting(path, "do_lower_case")
            ?? !tokens.Any(token => !(token.StartsWith('[') && token.EndsWith(']')) && token.Any(char.IsAsciiLetterUpper));
        try
        {
            return WordPiece.Create(tokens, BertNormalizer.Usual(lowercase) with
            {
                HandleChineseChars = Setting(path, "tokenize_chinese_chars") ?? true,
                StripAccents = Setting(path, "strip_accents"),
            });
        }
        catch (UserErrorException e)
        {
            throw new UserErrorException($"{path} is not a usable vocabulary of BERT: {e.Message}", e.Hint, e);
        }
    }

    /// <summary>What <c>tokenizer_config.json</c> beside a file says, or null.</summary>
    private static bool? Setting(string path, string name)
    {
        string config = ConfigOf(path);
        return File.Exists(config) && JsonFile.ReadObject(config).TryGetPropertyValue(name, out JsonNode? value) && value is not null
            ? value.GetValueKind() switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => throw new UserErrorException($"{config}: \"{name}\" is neither true nor false."),
            }
            : null;
    }

    private static string ConfigOf(string path) => Path.Combine(Path.GetDirectoryName(path) ?? "", ConfigName);

    private static IEnumerable<string> Lines(string path)
    {
        using var text = new StringReader(TextFile.Read(path));
        while (text.ReadLine() is string line)
        {
            yield return line;
        }
    }
}
