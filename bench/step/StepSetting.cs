using System.Globalization;
using System.Text.Json.Serialization;
using Espalier.Models;

namespace Espalier.Bench.Step;

/// <summary>The model and batch whose training step is timed: a GPT-2, or a Llama whose feed-forward layer has as many weights.</summary>
public sealed record StepSetting(
    int Layers, int HiddenSize, int Heads, int ContextLength, int Batch, int Vocabulary, bool IsLlama = false)
{
    /// <summary>The two settings that results are compared on.</summary>
    public static IReadOnlyList<StepSetting> Standard { get; } =
        [new(12, 256, 4, 128, 8, 8192), new(12, 768, 12, 128, 8, 30522)];

    /// <summary>A setting whose thousand steps take seconds.</summary>
    public static StepSetting Small { get; } = new(12, 64, 4, 64, 16, 257);

    [JsonIgnore]
    public ModelConfig Model => IsLlama
        ? new LlamaConfig
        {
            Layers = Layers,
            HiddenSize = HiddenSize,
            Heads = Heads,
            FfnSize = HiddenSize * 8 / 3,
            ContextLength = ContextLength,
            VocabularySize = Vocabulary,
            TiedHead = true,
        }
        : new Gpt2Config
        {
            Layers = Layers,
            HiddenSize = HiddenSize,
            Heads = Heads,
            ContextLength = ContextLength,
            VocabularySize = Vocabulary,
        };

    public long TokensPerStep => (long)Batch * ContextLength;

    /// <summary>Forward and backward, by the rules of Espalier's own ledger.</summary>
    [JsonIgnore]
    public FlopsCount FlopsPerStep => Ledger.ForwardAndBackward(
        Model, ForwardPlan.Plain(Layers), Batch, ContextLength, (double)Batch * ContextLength);

    public static StepSetting Parse(string text)
    {
        const string Llama = "llama,";
        bool isLlama = text.StartsWith(Llama, StringComparison.Ordinal);
        int[] numbers = [.. text[(isLlama ? Llama.Length : 0)..].Split(',').Select(part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0)];
        return numbers is [int layers, int hidden, int heads, int context, int batch, int vocabulary]
            && numbers.All(number => number > 0) && hidden % heads == 0
            ? new StepSetting(layers, hidden, heads, context, batch, vocabulary, isLlama)
            : throw new FormatException(
                $"'{text}': write layers,width,heads,context,batch,vocabulary with heads that divide the width, after llama, for a Llama");
    }

    /// <summary>As <see cref="Parse"/> reads it.</summary>
    public string ToArgument() => string.Create(
        CultureInfo.InvariantCulture, $"{(IsLlama ? "llama," : "")}{Layers},{HiddenSize},{Heads},{ContextLength},{Batch},{Vocabulary}");

    public override string ToString() => $"{(IsLlama ? "Llama " : "")}({Layers}, {HiddenSize}, {Heads}, {ContextLength}, {Batch}, {Vocabulary})";
}
