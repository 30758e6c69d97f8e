using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Tests;

/// <summary>Arbitrary values, the same in every run.</summary>
internal static class Sample
{
    /// <summary>The architectures that there are.</summary>
    public static string[] ModelTypes => ["gpt2", "bert", "llama", "qwen3"];

    /// <summary>Normal numbers with deviation 1, float32.</summary>
    public static Tensor Normal(int seed, params long[] shape)
    {
        var values = new float[shape.Aggregate(1L, (product, size) => product * size)];
        new CounterRandom((ulong)seed, RandomPurpose.Initialization).FillNormal(values, 1);
        return Tensor.From<float>(values, shape);
    }

    /// <summary>Whole numbers in [0, bound), int64.</summary>
    public static Tensor Indices(int seed, int bound, params long[] shape)
    {
        var random = new CounterRandom((ulong)seed, RandomPurpose.BatchOrder);
        var values = new long[shape.Aggregate(1L, (product, size) => product * size)];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (long)random.NextBelow((ulong)bound, (uint)i);
        }

        return Tensor.From<long>(values, shape);
    }

    /// <summary>A small GPT-2.</summary>
    public static Gpt2Config Model(int layers) => new()
    {
        Layers = layers,
        HiddenSize = 16,
        Heads = 2,
        ContextLength = 12,
        VocabularySize = 31,
    };

    /// <summary>A small BERT.</summary>
    public static BertConfig Bert(int layers) => new()
    {
        Layers = layers,
        HiddenSize = 16,
        Heads = 2,
        ContextLength = 12,
        VocabularySize = 31,
    };

    /// <summary>A model of a configuration, with <see cref="Parameters"/>.</summary>
    public static Espalier.Models.Model ModelOf(ModelConfig config, int seed = 1) =>
        Espalier.Models.Model.Of(config, Parameters(config, seed));

    /// <summary>Parameters of which none is at its initial 0 or 1, so that every one matters.</summary>
    public static ParameterSet Parameters(ModelConfig model, int seed = 1) => new(model.Architecture.Parameters(model).Select(
        (spec, i) =>
        {
            Tensor value = Normal((seed * 1000) + i, spec.Shape) * (spec.Axes.Count > 1 ? 0.3 : 0.1);
            return new Parameter(spec, ParameterSet.Trainable(
                spec.Initialization == Initialization.Ones ? value + Tensor.Full(spec.Shape, 1) : value));
        }));
}
