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
        from method in Methods(model)
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
                Recompute = steps % 2 == 0,
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
        from optimizer in Optimizers
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
            Parametrization = tokens % 2 == 0 ? new StandardParametrizationConfig() : new MupConfig
            {
                BaseHiddenSize = 1 + (tokens % 999),
                BaseLayers = model is BertConfig ? null : 1 + (tokens % 99),
            },
            LearningRate = rate,
            Method = method,
            Evaluation = new EvaluationConfig { Every = every, Tokens = tokens == 0 ? null : tokens },
            Checkpoint = new CheckpointConfig { Every = every, Keep = 1 + tokens % 9, At = tokens % 2 == 0 ? [] : [Duration.Percent(1 + (tokens % 100))] },
            Logging = new LoggingConfig { Every = every },
        };

    private static Gen<OptimizerConfig> Optimizers =>
        from decay in Fraction
        from f in Gen.Four(Fraction)
        from scale in Member<UpdateScale>()
        from optimizer in Gen.Elements<OptimizerConfig>(
            new AdamWConfig { Beta1 = f.Item1, Beta2 = f.Item2, Epsilon = f.Item3 + 1e-9 },
            new MuonConfig
            {
                Momentum = f.Item4, UpdateScale = scale, AdamwRate = f.Item3 * 9, Beta1 = f.Item1, Beta2 = f.Item2, Epsilon = f.Item3 + 1e-9,
            },
            new MuonNsgdConfig { Momentum = f.Item1, UpdateScale = scale },
            new SgdConfig { Momentum = f.Item1 })
        select optimizer with { WeightDecay = decay, ClipNorm = f.Item1 * 3 };

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
        }),
        Gpt2Models.Select(model => (ModelConfig)new LlamaConfig
        {
            Layers = model.Layers,
            HiddenSize = model.HiddenSize,
            Heads = model.Heads,
            KeyValueHeads = model.Heads % 2 == 0 ? model.Heads / 2 : null,
            HeadDim = 2 * (1 + model.HeadSize),
            ContextLength = model.ContextLength,
            FfnSize = model.FfnSize,
            VocabularySize = model.VocabularySize,
            RopeScaling = model.TiedHead ? new RopeScaling(RopeType.Linear, 1 + model.AttentionDropout) : RopeScaling.None,
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

    /// <summary>All methods, with stages of their own or the method's.</summary>
    private static Gen<MethodConfig> Methods(ModelConfig model) => Gen.OneOf(DepthMethods(model.Layers), SizeMethods(model));

    /// <summary>Methods of stages of any sizes; the first stage is smaller in what they grow, where it can be.</summary>
    private static Gen<MethodConfig> SizeMethods(ModelConfig model) =>
        from rewarm in Rewarms
        from schedule in Schedules
        from moments in Member<MomentPolicy>()
        from own in Gen.Elements(false, true)
        from method in Gen.Elements<StagedSizesConfig>(
            new StagedTrainingConfig { NewLayers = LayerMapKind.Stack }, new HyperCloningConfig(), new LemonConfig(), new SparklingConfig(),
            new ZeroPadConfig(), new Bert2BertConfig { Copies = WidthCopies.Fpi }, new LigoConfig { MapSteps = 3 }, new ComposableConfig(),
            new CompoundGrowConfig(), new MsgConfig { GrowTime = Duration.Steps(9) },
            new LagConfig { Operators = ["stack", "interpolate"], Trial = Duration.Steps(2) }, new GrowConfig { Operators = ["stack"] })
        select own && method is not LigoConfig ? method with { Rewarm = rewarm, Schedule = schedule, Moments = moments } : (MethodConfig)method;

    private static Gen<MethodConfig> DepthMethods(int layers) => Gen.OneOf(
        Gen.Constant((MethodConfig)new ScratchConfig()),
        Halved(layers).Select(staged => (MethodConfig)new GStackConfig { Moments = staged.Moments, Schedule = ScheduleMove.Peak }),
        Halved(layers).Select(staged => (MethodConfig)new SolarConfig { Stages = staged.Stages, Moments = staged.Moments }),
        Halved(layers).Select(staged => (MethodConfig)new LlamaProConfig { Stages = staged.Stages, Moments = staged.Moments }),
        Halved(layers).Select(staged => (MethodConfig)new RepeatLayersConfig { Stages = staged.Stages, RepeatFrom = Duration.Percent(20) }),
        Gen.Choose(1, 100).Select(i => (MethodConfig)new PldConfig { Theta = i / 100.0, Gamma = i * 1e-4 }),
        Gen.Choose(1, 64).Select(i => (MethodConfig)new RandomLtdConfig
        {
            Begin = i / 64.0, Until = Duration.Percent(i), Quantum = i,
        }),
        Gen.Elements(true, false).Select(own => (MethodConfig)(own && layers > 2
            ? new RaptrConfig { Stages = [2, layers], Boundaries = [Duration.Percent(30)] } : new RaptrConfig())),
        Halved(layers).Select(staged => (MethodConfig)new MidasConfig { Stages = staged.Stages, Moments = staged.Moments }),
        Halved(layers).Select(staged => (MethodConfig)new LidasConfig { Stages = staged.Stages, Alpha = 0.5 }),
        from staged in Staged(layers)
        select (MethodConfig)new MsltConfig
        {
            Stages = staged.Stages, Boundaries = staged.Boundaries, Moments = staged.Moments, Rewarm = staged.Rewarm, Schedule = staged.Schedule,
        },
        from staged in Halved(layers)
        from fresh in Member<LateLayers>()
        select (MethodConfig)new LateGrowthConfig { Stages = staged.Stages, Moments = staged.Moments, NewLayers = fresh },
        StackBerts(layers).Select(method => (MethodConfig)method),
        Progressives(layers).Select(method => (MethodConfig)method),
        Apollos(layers).Select(method => (MethodConfig)method));

    private static Gen<(int[] Stages, GrowthTrigger[] Boundaries, MomentPolicy? Moments, RewarmChoice? Rewarm, ScheduleMove? Schedule)> Staged(int layers) =>
        from own in Gen.Elements(true, false)
        from stages in Gen.SubListOf(Enumerable.Range(1, layers - 1))
        from inPercent in Gen.Elements(true, false)
        from moments in Member<MomentPolicy>()
        from rewarm in Rewarms
        from schedule in Schedules
        from rule in Rules
        select (
            own ? (int[])[.. stages.Order(), layers] : [],
            own ? (GrowthTrigger[])[.. stages.Select((_, i) => new GrowthTrigger(
                inPercent ? Duration.Percent((2 * i) + 1) : Duration.Steps((10 * i) + 10), rule))] : [],
            own ? moments : (MomentPolicy?)null,
            own ? rewarm : null,
            own ? schedule : null);

    private static Gen<RewarmChoice> Rewarms =>
        from steps in Gen.Choose(0, 2)
        from share in Gen.Two(Fraction)
        from scope in Member<RewarmScope>()
        select new RewarmChoice(Duration.Steps(steps), share.Item1, 2 * share.Item2, scope);

    private static Gen<ScheduleMove> Schedules => Gen.OneOf(
        Gen.Elements(ScheduleMove.Continue, ScheduleMove.Restart),
        Fraction.Select(share => ScheduleMove.Rewind(1 + share)),
        Gen.Choose(0, 100).Select(percent => new ScheduleMove(ScheduleMoveKind.To, Point: Duration.Percent(percent))));

    private static Gen<LossRule?> Rules => Gen.OneOf(
        Gen.Constant((LossRule?)null),
        Fraction.Select(share => (LossRule?)new LossRule(LossRuleKind.Slope, -share - 1e-7)),
        Fraction.Select(share => (LossRule?)new LossRule(LossRuleKind.Plateau, (share / 2) + 1e-7)));

    /// <summary>Two stages, or the method's own.</summary>
    private static Gen<(int[] Stages, MomentPolicy? Moments)> Halved(int layers) =>
        from own in Gen.Elements(true, false)
        from moments in Member<MomentPolicy>()
        select (own && layers > 1 ? (int[])[(layers + 1) / 2, layers] : [], own ? moments : (MomentPolicy?)null);

    private static Gen<StackBertConfig> StackBerts(int layers) =>
        from staged in Staged(layers)
        select new StackBertConfig
        {
            Stages = staged.Stages, Boundaries = staged.Boundaries, Moments = staged.Moments, Rewarm = staged.Rewarm, Schedule = staged.Schedule,
        };

    private static Gen<ProgressiveConfig> Progressives(int layers) =>
        from staged in Staged(layers)
        from sharing in Sharing
        from growth in Member<LayerMapKind>()
        select new ProgressiveConfig
        {
            Stages = staged.Stages, Boundaries = staged.Boundaries, Moments = staged.Moments, Rewarm = staged.Rewarm, Schedule = staged.Schedule,
            SharingMap = sharing, GrowthMap = growth,
        };

    private static Gen<ApolloConfig> Apollos(int layers) =>
        from staged in Staged(layers)
        from sampler in Member<DepthSamplerKind>()
        from offset in Fraction
        from draw in Member<DepthDraw>()
        from sharing in Sharing
        from growth in Member<LayerMapKind>()
        from isHalved in Gen.Elements(true, false, false, false)
        let apollo = new ApolloConfig
        {
            Stages = staged.Stages,
            Boundaries = staged.Boundaries,
            Moments = staged.Moments,
            Rewarm = staged.Rewarm,
            Schedule = staged.Schedule,
            Sampler = sampler,
            LvpsBeginOffset = offset + 0.1,
            LvpsEnd = offset + 1e-6,
            InversePower = offset * 9,
            Draw = draw,
            SharingMap = sharing,
            GrowthMap = growth,
        }
        select isHalved && layers > 1
            ? apollo with
            {
                Stages = [1, layers],
                Boundaries = [Duration.Percent(50)],
                Sampler = DepthSamplerKind.Full,
                SharingMap = LayerMapChoice.Of(Enumerable.Repeat(0, layers)),
            }
            : apollo;

    private static Gen<LayerMapChoice> Sharing => Gen.Elements(LayerMapChoice.Interpolate, LayerMapChoice.Stack);
}
