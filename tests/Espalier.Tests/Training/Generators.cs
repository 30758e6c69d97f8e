using Espalier.Configuration;
using Espalier.Data;
using Espalier.Evaluation;
using Espalier.Growth;
using Espalier.Models;
using Espalier.Optimization;
using Espalier.Training;
using FsCheck;
using FsCheck.Fluent;

namespace Espalier.Tests.Training;

/// <summary>Arbitrary durations and valid recipes.</summary>
internal static class Generators
{
    public static Gen<Duration> Durations { get; } = Gen.OneOf(
        Gen.Choose(0, int.MaxValue).Select(n => Duration.Steps(n)),
        Gen.Choose(0, int.MaxValue).Select(n => Duration.Percent(n / (double)int.MaxValue * 100)),
        Gen.Choose(0, int.MaxValue).Select(n => Duration.Tokens(n * 1000003L)));

    private static Gen<T> Member<T>() where T : struct, Enum => Gen.Elements(Enum.GetValues<T>());

    private static Gen<double> Fraction { get; } = Gen.Choose(0, 999_999).Select(n => n / 1e6);

    private static Gen<string> Text { get; } = Gen.OneOf(
        Gen.Elements("null", "~", "true", "12", " x ", "a: b", "# no comment", "- x", "\"'\\", "tab\tline\nend\r", "\u0085\u2028\ufeff", "ünï🌳", "[1]", "%"),
        Gen.NonEmptyListOf(Gen.Choose(1, 0xD7FF).Select(c => (char)c)).Select(c => new string([.. c])));

    public static Gen<Recipe> Recipes { get; } =
        from model in Models
        from method in Methods(model.Layers)
        from training in
            from microBatch in Gen.Choose(1, 64)
            from accumulation in Gen.Choose(1, 8)
            from steps in Gen.Choose(1000, 1_000_000)
            from inTokens in Gen.Elements(true, false)
            from precision in Member<Precision>()
            from device in Gen.Elements("auto", "cpu", "cuda", "cuda:3")
            select new TrainingConfig
            {
                Length = inTokens
                    ? Duration.Tokens((long)steps * microBatch * accumulation * model.ContextLength)
                    : Duration.Steps(steps),
                MicroBatch = microBatch,
                GradientAccumulation = accumulation,
                Precision = precision,
                Device = device,
            }
        from rate in
            from peak in Fraction
            from schedule in Member<LearningRateSchedule>()
            from warmup in Gen.Choose(0, 1000)
            from final in Fraction
            select new LearningRateConfig
            {
                Peak = peak + 1e-7,
                Schedule = schedule,
                Warmup = Duration.Steps(warmup),
                Final = final,
            }
        from optimizer in Gen.Four(Fraction).Select(f => new OptimizerConfig
        {
            Beta1 = f.Item1, Beta2 = f.Item2, Epsilon = f.Item3 + 1e-9, WeightDecay = f.Item4, ClipNorm = f.Item1 * 3,
        })
        from every in Durations.Where(d => d.Value > 0)
        from tokens in Gen.Choose(0, int.MaxValue)
        from name in Text
        from path in Text
        from seed in ArbMap.Default.GeneratorFor<ulong>()
        select new Recipe
        {
            Name = name,
            Seed = seed,
            Model = model,
            Data = new DataConfig { Path = path },
            Training = training,
            Optimizer = optimizer,
            LearningRate = rate,
            Method = method,
            Evaluation = new EvaluationConfig { Every = every, Tokens = tokens == 0 ? null : tokens },
            Checkpoint = new CheckpointConfig { Every = every, Keep = 1 + tokens % 9 },
            Logging = new LoggingConfig { Every = every },
        };

    private static Gen<ModelConfig> Models => Gen.OneOf(
        Gpt2Models.Select(model => (ModelConfig)model),
        Gpt2Models.Select(model => (ModelConfig)new BertConfig
        {
            Layers = model.Layers,
            HiddenSize = model.HiddenSize,
            Heads = model.Heads,
            ContextLength = model.ContextLength + 2,
            FfnSize = model.FfnSize,
            VocabularySize = model.VocabularySize,
            HiddenDropout = model.ResidualDropout,
            AttentionDropout = model.AttentionDropout,
            TiedHead = model.TiedHead,
        }));

    private static Gen<Gpt2Config> Gpt2Models =>
        from layers in Gen.Choose(1, 48)
        from heads in Gen.Choose(1, 32)
        from headSize in Gen.Choose(1, 128)
        from context in Gen.Choose(1, 4096)
        from inner in Gen.Choose(0, 10_000)
        from dropout in Gen.Three(Fraction)
        from tied in Gen.Elements(true, false)
        select new Gpt2Config
        {
            Layers = layers,
            HiddenSize = heads * headSize,
            Heads = heads,
            ContextLength = context,
            FfnSize = inner == 0 ? null : inner,
            VocabularySize = inner % 2 == 0 ? null : inner,
            LayerNormEpsilon = dropout.Item1 + 1e-6,
            EmbeddingDropout = dropout.Item1,
            AttentionDropout = dropout.Item2,
            ResidualDropout = dropout.Item3,
            TiedHead = tied,
        };

    private static Gen<MethodConfig> Methods(int layers) =>
        from name in Member<MethodKind>()
        from sampler in Member<DepthSamplerKind>()
        from own in Gen.Elements(true, false)
        from stages in Gen.SubListOf(Enumerable.Range(1, layers - 1))
        from units in Gen.Choose(0, 2)
        from offset in Fraction
        from draw in Member<DepthDraw>()
        from sharing in Gen.Elements(null, LayerMapChoice.Interpolate, LayerMapChoice.Stack)
        from growth in Member<LayerMapKind>()
        from moments in Member<MomentPolicy>()
        let isOwn = own && name != MethodKind.Scratch
        let isHalved = isOwn && units == 0 && layers > 1
        select new MethodConfig
        {
            Name = name,
            Stages = isHalved ? [1, layers] : isOwn ? [.. stages.Order(), layers] : [],
            Boundaries = isHalved ? [Duration.Percent(50)]
                : isOwn ? [.. stages.Order().Select((_, i) => units == 1 ? Duration.Percent(2 * i + 1) : Duration.Steps(10 * i + 1))] : [],
            Sampler = isHalved ? DepthSamplerKind.Full : own ? sampler : null,
            LvpsBeginOffset = offset + 0.1,
            LvpsEnd = offset + 1e-6,
            InversePower = offset * 9,
            Draw = draw,
            SharingMap = isHalved ? LayerMapChoice.Of(Enumerable.Repeat(0, layers)) : sharing,
            GrowthMap = own ? growth : null,
            Moments = own ? moments : null,
            Rewarm = Duration.Steps(units),
        };
}
