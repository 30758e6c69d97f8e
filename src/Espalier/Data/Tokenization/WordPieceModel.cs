using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Espalier.Data;

/// <summary>Covers words by the longest tokens that fit, from left to right.</summary>
internal sealed class WordPieceModel
{
    private readonly string _unknown, _prefix;
    private readonly int _longestWord;
    private readonly ByteTrie _beginnings = new(), _continuations = new();

    /// <param name="ids">The vocabulary.</param>
    /// <param name="unknown">The token of a word that cannot be covered; one of the vocabulary.</param>
    /// <param name="prefix">What a token that continues a word begins with.</param>
    /// <param name="longestWord">The most characters of a word; a longer one is unknown.</param>
    public WordPieceModel(Dictionary<string, int> ids, string unknown, string prefix, int longestWord)
    {
        (_unknown, _prefix, _longestWord) = (unknown, prefix, longestWord);
        UnknownId = ids[unknown];
        foreach ((string token, int id) in ids)
        {
            _beginnings.Add(Encoding.UTF8.GetBytes(token), id);
            if (token.StartsWith(prefix, StringComparison.Ordinal))
            {
                _continuations.Add(Encoding.UTF8.GetBytes(token[prefix.Length..]), id);
            }
        }
    }

    /// <summary>The id of a word that cannot be covered.</summary>
    public int UnknownId { get; }

    /// <summary>Reads the <c>model</c> of a file.</summary>
    public static WordPieceModel FromJson(TokenizerJson json, Dictionary<string, int> ids)
    {
        json.AllowOnly(
            json.Model, "the model", "type", "vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word");
        string unknown = json.String(json.Model, "model", "unk_token");
        return new WordPieceModel(
            ids,
            ids.ContainsKey(unknown) ? unknown : throw json.Damaged($"its \"unk_token\" \"{unknown}\" is not in the vocabulary"),
            json.String(json.Model, "model", "continuing_subword_prefix"),
            json.Id(json.Member(json.Model, "model", "max_input_chars_per_word"), "\"max_input_chars_per_word\""));
    }

    /// <summary>Writes the <c>model</c>.</summary>
    public void Write(Utf8JsonWriter json, string?[] tokens)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "WordPiece");
        json.WriteString("unk_token", _unknown);
        json.WriteString("continuing_subword_prefix", _prefix);
        json.WriteNumber("max_input_chars_per_word", _longestWord);
        TokenizerJson.WriteVocabulary(json, tokens);
        json.WriteEndObject();
    }

    /// <summary>Appends the ids of a word.</summary>
    public void Encode(ReadOnlySpan<byte> word, List<int> ids)
    {
        int before = ids.Count;
        ByteTrie trie = _beginnings;
        ReadOnlySpan<byte> rest = IsTooLong(word) ? default : word;
        while (!rest.IsEmpty)
        {
            int length = trie.LongestPrefix(rest, out int id);
            if (length == 0)
            {
                break;
            }

            ids.Add(id);
            rest = rest[length..];
            trie = _continuations;
            if (rest.IsEmpty)
            {
                return;
            }
        }

        CollectionsMarshal.SetCount(ids, before);
        ids.Add(UnknownId);
    }

    private bool IsTooLong(ReadOnlySpan<byte> word)
    {
        if (word.Length <= _longestWord)
        {
            return false;
        }

        int characters = 0;
        foreach (byte b in word)
        {
            characters += (b & 0xC0) != 0x80 ? 1 : 0;
        }

        return characters > _longestWord;
    }
}
