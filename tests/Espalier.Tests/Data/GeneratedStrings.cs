using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Tests.Data;

/// <summary>The strings of tests/tools/tokenizer-forms.mjs: scripts, marks, emoji, digits, contractions, white space.</summary>
internal sealed class GeneratedStrings
{
    private readonly JsonArray[] _kinds;
    private readonly int _perChunk;

    /// <param name="materialFile">What they are made of, <c>strings.json</c>.</param>
    public GeneratedStrings(string materialFile)
    {
        JsonNode material = JsonNode.Parse(File.ReadAllText(materialFile))!;
        _kinds = [.. material["ranges"]!.AsArray().Concat(material["snippets"]!.AsArray()).Select(kind => kind!.AsArray())];
        _perChunk = material["strings_per_chunk"]!.GetValue<int>();
    }

    /// <summary>The strings of a seed.</summary>
    public IEnumerable<string> Chunk(uint seed)
    {
        uint state = seed;
        for (int i = 0; i < _perChunk; i++)
        {
            JsonArray[] few = new JsonArray[1 + Draw(4)];
            for (int k = 0; k < few.Length; k++)
            {
                few[k] = _kinds[Draw(_kinds.Length)];
            }

            var text = new StringBuilder();
            for (int length = Draw(40); length > 0; length--)
            {
                text.Append(Draw(6) == 0 ? " " : OneOf(few[Draw(few.Length)]));
            }

            yield return text.ToString();
        }

        string OneOf(JsonArray kind)
        {
            if (kind[0]!.GetValueKind() == System.Text.Json.JsonValueKind.String)
            {
                return kind[Draw(kind.Count)]!.GetValue<string>();
            }

            (int first, int last) = (kind[0]!.GetValue<int>(), kind[1]!.GetValue<int>());
            int c = first + Draw(last - first + 1);
            return c is >= 0xD800 and < 0xE000 ? "?" : char.ConvertFromUtf32(c);
        }

        int Draw(int n)
        {
            unchecked
            {
                state = (state * 1664525) + 1013904223;
                uint x = (state ^ (state >> 16)) * 0x45d9f3b;
                x = (x ^ (x >> 15)) * 0x2c1b3c6d;
                return (int)((x ^ (x >> 14)) % (uint)n);
            }
        }
    }
}
