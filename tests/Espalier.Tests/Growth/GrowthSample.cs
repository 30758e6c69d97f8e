using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Growth;

/// <summary>Models of all shapes in the midst of training, for growth.</summary>
internal static class GrowthSample
{
    /// <summary>A small GPT-2.</summary>
    public static Gpt2Config Gpt2(int layers) => new()
    {
        Layers = layers, HiddenSize = 16, Heads = 2, ContextLength = 12, VocabularySize = 31,
    };

    /// <summary>A small BERT.</summary>
    public static BertConfig Bert(int layers) => new()
    {
        Layers = layers, HiddenSize = 16, Heads = 2, ContextLength = 12, VocabularySize = 31,
    };

    /// <summary>A small Llama whose query heads share keys and values, and whose heads have a size of their own.</summary>
    public static LlamaConfig Llama(int layers) => new()
    {
        Layers = layers, HiddenSize = 16, Heads = 4, KeyValueHeads = 2, HeadDim = 6, ContextLength = 12, VocabularySize = 31,
    };

    /// <summary>Llamas and Qwen3s: query heads share those of keys and values or do not, a head has a size of its own.</summary>
    public static Gen<ModelConfig> Rotary { get; } =
        from isQwen in Gen.Elements(false, true)
        from layers in Gen.Choose(1, 4)
        from groups in Gen.Choose(1, 3)
        from shared in Gen.Choose(1, 2)
        from headSize in Gen.Elements(2, 4, 6)
        from wide in Gen.Choose(2, 4)
        from ffn in Gen.Choose(0, 17)
        from vocabulary in Gen.Choose(5, 23)
        from context in Gen.Choose(3, 7)
        from tied in Gen.Elements(false, true)
        let heads = groups * shared
        let groupsOrNone = shared == 1 ? null : (int?)groups
        select isQwen
            ? (ModelConfig)new Qwen3Config
            {
                Layers = layers, HiddenSize = heads * wide, Heads = heads, KeyValueHeads = groupsOrNone, HeadDim = headSize,
                FfnSize = ffn == 0 ? null : ffn, VocabularySize = vocabulary, ContextLength = context, TiedHead = tied,
            }
            : new LlamaConfig
            {
                Layers = layers, HiddenSize = heads * wide, Heads = heads, KeyValueHeads = groupsOrNone, HeadDim = headSize,
                FfnSize = ffn == 0 ? null : ffn, VocabularySize = vocabulary, ContextLength = context, TiedHead = tied,
                AttentionBias = ffn % 2 == 1, MlpBias = ffn % 3 == 1,
            };

    /// <summary>Models of every architecture.</summary>
    public static Gen<ModelConfig> All => Gen.OneOf(Models, Rotary);

    /// <summary>GPT-2s and BERTs; layers, heads, head size, feed-forward width, vocabulary, head: no two need agree.</summary>
    public static Gen<ModelConfig> Models { get; } =
        from isBert in Gen.Elements(false, true)
        from layers in Gen.Choose(1, 4)
        from heads in Gen.Choose(1, 3)
        from headSize in Gen.Choose(3, 5)
        from ffn in Gen.Choose(0, 17)
        from vocabulary in Gen.Choose(5, 23)
        from context in Gen.Choose(3, 7)
        from tied in Gen.Elements(false, true)
        select isBert
            ? (ModelConfig)new BertConfig
            {
                Layers = layers, HiddenSize = heads * headSize, Heads = heads, FfnSize = ffn == 0 ? null : ffn,
                VocabularySize = vocabulary, ContextLength = context, TiedHead = tied, TypeVocabularySize = 1 + (ffn % 3),
            }
            : new Gpt2Config
            {
                Layers = layers, HiddenSize = heads * headSize, Heads = heads, FfnSize = ffn == 0 ? null : ffn,
                VocabularySize = vocabulary, ContextLength = context, TiedHead = tied,
            };

    /// <summary>Where a run stands that has grown once.</summary>
    public static TrainingPosition Position { get; } = new()
    {
        Step = 40,
        Tokens = 5000,
        ScheduleStep = 31.5,
        Growths = [new GrowthRecord(20, "some growth", new Rewarm(5))],
        Losses = new LossCurve(7) { Points = [new LossPoint(7, 3, 2.5)], PendingSteps = 3, PendingLoss = 6.5 },
        Flops = new FlopsCount(1, 2, 3),
        Seconds = 4.5,
    };

    /// <summary>A state in which no weight, nothing that the optimizer remembers and no count is at its initial value.</summary>
    public static TrainingState State(ModelConfig config)
    {
        ParameterSet parameters = Sample.Parameters(config);
        var states = parameters.Select((parameter, i) => KeyValuePair.Create(parameter.Name, new ParameterState(
            new Dictionary<string, Slot>
            {
                [AdamW.ExpAvg] = new(Sample.Normal(5000 + i, parameter.Spec.Shape), Follows.Gradient),
                [AdamW.ExpAvgSq] = new(
                    Squared(Sample.Normal(6000 + i, parameter.Spec.Shape)) + Tensor.Full([], 0.5), Follows.Square),
            },
            10 + i)));
        return new TrainingState(Model.Of(config, parameters), new OptimizerState(new AdamW(new AdamWConfig()), states), Position);
    }

    /// <summary>
    /// The same in double precision: what an operator promises is then seen apart from rounding, which norms over two or three units
    /// make a thousand times as large.
    /// </summary>
    public static TrainingState ExactState(ModelConfig config)
    {
        TrainingState state = State(config);
        return new TrainingState(
            Model.Of(config, new ParameterSet(state.Model.Parameters.Select(
                parameter => new Parameter(parameter.Spec, ParameterSet.Trainable(Wide(parameter.Value.Detach())))))),
            new OptimizerState(new AdamW(new AdamWConfig()), state.Model.Parameters.Select(parameter =>
            {
                ParameterState own = state.Optimizer[parameter.Name];
                return KeyValuePair.Create(parameter.Name, new ParameterState(
                    own.Slots.ToDictionary(slot => slot.Key, slot => slot.Value with { Value = Wide(slot.Value.Value) }), own.Steps));
            })),
            state.Position);

        static Tensor Wide(Tensor value) => value.To(ScalarType.Float64, Device.Cpu);
    }

    /// <summary>Sequences of the context's length, and something to predict at every position.</summary>
    public static ModelBatch Batch(ModelConfig config, int sequences = 2) => new(
        Sample.Indices(1, config.Vocabulary, sequences, config.ContextLength),
        Sample.Indices(2, config.Vocabulary, sequences, config.ContextLength));

    /// <summary>The seed of the run that grows.</summary>
    public const ulong RunSeed = 11;

    /// <summary>For growth that looks at no data.</summary>
    public static IGrowthContext NoContext { get; } = new Nothing();

    public static Tensor Squared(Tensor tensor) => tensor * tensor;

    private sealed class Nothing : IGrowthContext
    {
        public Compute Compute => Compute.Cpu;

        public ulong Seed => RunSeed;

        public ModelBatch Batch(int index) => throw new NotSupportedException();

        public IReadOnlyList<double> Train(TrainingState trial, int steps) => throw new NotSupportedException();

        public void Charge(FlopsCount flops) => throw new NotSupportedException();
    }
}
