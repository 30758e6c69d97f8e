using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Bench.Tokenizers;

/// <summary>
/// GPT-2's way to cut text and those of Llama 3 and Qwen in turn, with one vocabulary of byte-level BPE, Espalier alone.
/// </summary>
internal static class SplitterComparison
{
    private const string Baseline = "gpt2";

    private static readonly (string Name, string? Digits)[] Splitters =
        [(Baseline, null), ("llama3", @"\p{N}{1,3}"), ("qwen", @"\p{N}")];

    /// <summary>A table in Markdown.</summary>
    public static IEnumerable<string> Measure(Inputs inputs, int rounds)
    {
        if (!File.Exists(inputs.TokenizerFile(Baseline)))
        {
            // It makes the file.
            new HuggingFaceSide(inputs.Folder, Baseline, threads: 1).Dispose();
        }

        yield return
            """
            | splitter | texts | tokens | tokens/s | ratio to gpt2: median (least to most) | first passes |
            |---|---|--:|--:|--:|--:|
            """;
        foreach (string unit in new[] { "speeches", "sentences" })
        {
            (string file, _, int texts) = inputs.Texts(unit);
            EspalierSide[] sides = [.. Splitters.Select(splitter => new EspalierSide(FileOf(inputs, splitter.Name, splitter.Digits), threads: 1))];
            var speeds = sides.Select(_ => (First: new List<double>(), Later: new List<double>())).ToArray();
            long[] tokens = [.. sides.Select(side =>
            {
                side.Load(file);
                return side.Ids().Tokens;
            })];
            for (int round = 1; round <= rounds; round++)
            {
                for (int i = 0; i < sides.Length; i++)
                {
                    sides[i].Forget();
                    speeds[i].First.Add(tokens[i] / sides[i].Run());
                    speeds[i].Later.Add(tokens[i] / sides[i].Run());
                }

                Progress.Say($"{unit}: round {round} of {rounds}");
            }

            for (int i = 0; i < sides.Length; i++)
            {
                yield return FormattableString.Invariant(
                    $"| {Splitters[i].Name} | {texts} {unit} | {tokens[i]} | {Statistics.Median(speeds[i].Later):E2} | {Spread.OfRatios(speeds[i].Later, speeds[0].Later)} | {Spread.OfRatios(speeds[i].First, speeds[0].First)} |");
            }
        }
    }

    /// <summary>GPT-2's tokenizer with another expression, made from it.</summary>
    private static string FileOf(Inputs inputs, string name, string? digits)
    {
        string baseline = inputs.TokenizerFile(Baseline);
        if (digits is null)
        {
            return baseline;
        }

        JsonNode json = JsonNode.Parse(File.ReadAllBytes(baseline))!;
        json["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject
                {
                    ["type"] = "Split",
                    ["pattern"] = new JsonObject
                    {
                        ["Regex"] = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits
                            + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
                    },
                    ["behavior"] = "Isolated",
                    ["invert"] = false,
                },
                new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = false }),
        };
        string file = Path.Combine(Path.GetDirectoryName(baseline)!, $"{name}-splitter.json");
        File.WriteAllBytes(file, JsonSerializer.SerializeToUtf8Bytes(json));
        return file;
    }
}
