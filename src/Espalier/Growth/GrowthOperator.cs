using Espalier.Models;
using Espalier.Optimization;
using Espalier.Torch;

namespace Espalier.Growth;

/// <summary>
/// Maps a whole training state to a larger one (Staged Training, arXiv 2203.06211): weights, everything that the
/// optimizer remembers, and position. An operator says where layers and units come from and what their weights are multiplied
/// by; the walk over the state is written once, here.
/// </summary>
public abstract record GrowthOperator
{
    /// <summary>What becomes of what the optimizer remembers.</summary>
    public MomentPolicy Moments { get; init; } = MomentPolicy.Map;

    /// <summary>Whether what is marked as new in the state stays so, as where another growth has been but a part of this one.</summary>
    internal bool KeepsNew { get; init; }

    /// <summary>What becomes of the model itself.</summary>
    public abstract ModelConfig Grow(ModelConfig model);

    /// <summary>What the growth keeps.</summary>
    /// <param name="model">The model to grow.</param>
    public abstract Promise Promise(ModelConfig model);

    /// <summary>The most that <see cref="Apply"/> charges to the run, as budgets and plans count it. By default nothing.</summary>
    /// <param name="model">The model to grow.</param>
    /// <param name="costs">What work on batches costs there.</param>
    public virtual FlopsCount Cost(ModelConfig model, IGrowthCosts costs) => default;

    /// <summary>The operator and its settings in one line, as checkpoints record it.</summary>
    public abstract override string ToString();

    /// <summary>Grows a state.</summary>
    /// <param name="state">The state to grow; it is used up, its tensors move into the result or are freed.</param>
    /// <param name="context">Batches and training on trial, for growth that looks at data.</param>
    public virtual TrainingState Apply(TrainingState state, IGrowthContext context)
    {
        using IDisposable _ = TensorScope.Suspend();
        using var noGrad = new NoGrad();
        Model old = state.Model;
        ModelConfig config = Grow(old.Config);
        LayerOrigin[] layers = Layers(old.Config);
        var sources = old.Parameters.ToDictionary(parameter => (parameter.Spec.Layer, parameter.Spec.Role));
        var fresh = new Lazy<ParameterSet>(() => Fresh(old.Architecture, config, context));
        IOptimizer rule = state.Optimizer.Rule;
        ScalarType type = old.Parameters.First().Value.Type;

        List<Parameter> parameters = [];
        Dictionary<string, ParameterState> states = [];
        foreach (ParameterSpec spec in old.Architecture.Parameters(config))
        {
            LayerOrigin? layer = spec.Layer is int index ? layers[index] : null;
            if (layer is { Source: null })
            {
                Tensor begun = Find(fresh.Value, spec).To(type, old.Parameters.Device) * NewLayerFactor(spec, old.Config);
                parameters.Add(new Parameter(spec, ParameterSet.Trainable(begun)));
                states.Add(spec.Name, new ParameterState(ParameterState.Begin(rule, spec, old.Parameters.Device).Slots) { New = NewUnits.All });
                continue;
            }

            Parameter source = sources[(layer?.Source, spec.Role)];
            Parameter above = sources.GetValueOrDefault((layer?.Source + 1, spec.Role), source);
            AxisMap[] maps = [.. source.Spec.Axes.Zip(spec.Axes, (before, after) => MapOf(before, after, old.Config))];
            double ofLayer = layer is { IsNew: true } ? NewLayerFactor(spec, old.Config) : 1;
            parameters.Add(new Parameter(spec, ParameterSet.Trainable(Grown(source, above, spec, maps, ofLayer, fresh))));

            Parameter? remembers = Moments switch
            {
                MomentPolicy.Reset => null,
                MomentPolicy.Map => source,
                _ when spec.Layer is null => source,
                _ => KeepsStateOf(spec.Layer.Value, layers, old.Config) is int before ? sources[(before, spec.Role)] : null,
            };
            (IReadOnlyDictionary<string, Slot> slots, long steps) = remembers is null
                ? (ParameterState.Begin(rule, spec, old.Parameters.Device).Slots, 0L)
                : (Remembered(remembers, above, spec, maps, state.Optimizer), state.Optimizer[remembers.Name].Steps);
            states.Add(spec.Name, new ParameterState(slots, steps)
            {
                New = NewIn(source.Spec, spec, maps, layer is { IsNew: true }, KeepsNew ? state.Optimizer[source.Name].New : null),
            });
        }

        if (fresh.IsValueCreated)
        {
            fresh.Value.Dispose();
        }

        var grown = new TrainingState(
            new Model(old.Architecture, config, new ParameterSet(parameters)), new OptimizerState(rule, states), state.Position);
        state.Dispose();
        return grown;
    }

    /// <summary>Where the layers of the grown model come from. By default each is itself.</summary>
    /// <param name="model">The model to grow.</param>
    protected virtual LayerOrigin[] Layers(ModelConfig model) => LayerOrigin.Copies(Enumerable.Range(0, model.Layers));

    /// <summary>Where the units of a grown axis come from. Asked for kinds only whose number changes.</summary>
    /// <param name="kind">The kind of units.</param>
    /// <param name="model">The model to grow.</param>
    protected virtual AxisMap Units(AxisKind kind, ModelConfig model) =>
        throw new InvalidOperationException($"{this} changes the number of {kind}, and does not say where they come from");

    /// <summary>
    /// Under <see cref="MomentPolicy.Keep"/>, the old layer whose optimizer state a layer has; null for none. By default that of
    /// the old layer that it is, and none if it is new.
    /// </summary>
    /// <param name="layer">The layer of the grown model.</param>
    /// <param name="layers">Where all layers come from.</param>
    /// <param name="model">The model to grow.</param>
    protected virtual int? KeepsStateOf(int layer, IReadOnlyList<LayerOrigin> layers, ModelConfig model) =>
        layers[layer].IsNew ? null : layers[layer].Source;

    /// <summary>What a weight that is made from an old one is multiplied by. By default by nothing.</summary>
    /// <param name="parameter">The grown parameter.</param>
    /// <param name="first">The unit along its first axis.</param>
    /// <param name="second">The unit along its second axis; the first of all where it has none.</param>
    protected virtual double Factor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => 1;

    /// <summary>
    /// What a weight of a new layer is multiplied by besides. By default by nothing; the optimizer's slots do not follow it.
    /// </summary>
    /// <param name="parameter">The grown parameter, of a layer that is a copy or fresh.</param>
    /// <param name="model">The model to grow.</param>
    protected virtual double NewLayerFactor(ParameterSpec parameter, ModelConfig model) => 1;

    /// <summary>What the gradient of such a weight is of the old one's. By default the same.</summary>
    /// <inheritdoc cref="Factor"/>
    protected virtual double GradientFactor(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => 1;

    /// <summary>What share of the grown model's own initial weight is added to it. By default none.</summary>
    /// <inheritdoc cref="Factor"/>
    protected virtual double FreshShare(ParameterSpec parameter, UnitOrigin first, UnitOrigin second) => 0;

    /// <summary>The last word on a grown weight. By default it is as the rest has made it.</summary>
    /// <param name="parameter">The grown parameter.</param>
    /// <param name="units">Where the units along its axes come from.</param>
    /// <param name="weight">Its value.</param>
    protected virtual Tensor Finish(ParameterSpec parameter, IReadOnlyList<AxisMap> units, Tensor weight) => weight;

    /// <summary>Whether a weight joins old units alone.</summary>
    /// <param name="first">The unit along its first axis.</param>
    /// <param name="second">The unit along its second axis.</param>
    private protected static bool IsOld(UnitOrigin first, UnitOrigin second) => first.Copy == 0 && second.Copy == 0;

    private static ParameterSet Fresh(IArchitecture architecture, ModelConfig config, IGrowthContext context)
    {
        // It is first asked for within the scope of one parameter, and serves all.
        using IDisposable _ = TensorScope.Suspend();
        return ParameterSet.Initialize(architecture.Parameters(config), config, config.Layers, context.Seed, context.Compute.Device, context.Mup);
    }

    private static Tensor Find(ParameterSet parameters, ParameterSpec spec) =>
        spec.Layer is int layer ? parameters[layer, spec.Role] : parameters[spec.Role];

    private AxisMap MapOf(Axis before, Axis after, ModelConfig model) =>
        before.Units == after.Units ? AxisMap.Same(before.Units) : Units(after.Kind, model);

    private Tensor Grown(
        Parameter source, Parameter above, ParameterSpec spec, AxisMap[] maps, double ofLayer, Lazy<ParameterSet> fresh)
    {
        using var scope = new TensorScope();
        Tensor made = Gathered(source.Spec, spec, maps, source.Value, above.Value, (a, b) => ofLayer * Factor(spec, a, b));
        Tensor? shares = FactorsOf(spec, maps, (a, b) => FreshShare(spec, a, b), neutral: 0, source.Value);
        return scope.Keep(Finish(spec, maps, shares is null ? made : made + (Find(fresh.Value, spec) * shares)));
    }

    private IReadOnlyDictionary<string, Slot> Remembered(
        Parameter source, Parameter above, ParameterSpec spec, AxisMap[] maps, OptimizerState state) =>
        state[source.Name].Slots.ToDictionary(pair => pair.Key, pair => pair.Value with
        {
            Value = Gathered(source.Spec, spec, maps, pair.Value.Value, state[above.Name].Slots[pair.Key].Value, (a, b) =>
            {
                if (Moments == MomentPolicy.Keep)
                {
                    return IsOld(a, b) ? 1 : 0;
                }

                double factor = GradientFactor(spec, a, b);
                return pair.Value.Follows == Follows.Square ? factor * factor : factor;
            }),
        });

    private static Tensor Gathered(
        ParameterSpec before, ParameterSpec after, AxisMap[] maps, Tensor value, Tensor above,
        Func<UnitOrigin, UnitOrigin, double> factor)
    {
        using var scope = new TensorScope();
        int fromAbove = Array.FindIndex([.. maps.Zip(after.Axes, (map, axis) => map.ReadsAbove(axis))], reads => reads);
        Tensor made = fromAbove < 0 ? value : Tensor.Concatenate([value, above], fromAbove);
        for (int axis = 0; axis < maps.Length; axis++)
        {
            if (before.Axes[axis].Units != after.Axes[axis].Units)
            {
                long[] elements = maps[axis].SourceElements(before.Axes[axis], after.Axes[axis]);
                made = (maps[axis].HasMean ? WithMean(made, axis) : made).IndexSelect(axis, Tensor.From<long>(elements, [elements.Length], value.Device));
            }
        }

        return scope.Keep(FactorsOf(after, maps, factor, neutral: 1, value) is Tensor factors ? made * factors
            : ReferenceEquals(made, value) ? value.Clone() : made);
    }

    /// <summary>A tensor, and at the end of an axis the mean along it.</summary>
    private static Tensor WithMean(Tensor value, int axis)
    {
        long units = value.Shape[axis];
        Tensor mean = value.Transpose(axis, -1).MatMul(Tensor.Full([units, 1], 1.0 / units, value.Type, value.Device)).Transpose(axis, -1);
        return Tensor.Concatenate([value, mean], axis);
    }

    /// <summary>The factor of every element, shaped like the parameter and of a tensor's type; null where all are neutral.</summary>
    private static Tensor? FactorsOf(
        ParameterSpec spec, AxisMap[] maps, Func<UnitOrigin, UnitOrigin, double> factor, double neutral, Tensor like)
    {
        IReadOnlyList<UnitOrigin> first = maps[0].Units, second = maps.Length > 1 ? maps[1].Units : [new UnitOrigin(0, 0)];
        var ofUnits = new double[first.Count * second.Count];
        for (int i = 0; i < ofUnits.Length; i++)
        {
            ofUnits[i] = factor(first[i / second.Count], second[i % second.Count]);
        }

        if (Array.TrueForAll(ofUnits, value => value == neutral))
        {
            return null;
        }

        Tensor factors = Tensor.From<double>(ofUnits, [first.Count, second.Count], like.Device).To(like.Type, like.Device);
        for (int axis = 0; axis < maps.Length; axis++)
        {
            long[] units = [.. spec.Axes[axis].UnitOfElement.Select(unit => (long)unit)];
            factors = factors.IndexSelect(axis, Tensor.From<long>(units, [units.Length], like.Device));
        }

        return maps.Length > 1 ? factors : factors.Reshape(-1);
    }

    private static NewUnits? NewIn(ParameterSpec before, ParameterSpec after, AxisMap[] maps, bool isCopy, NewUnits? already)
    {
        if (isCopy || already is { Places: null })
        {
            return NewUnits.All;
        }

        IReadOnlyList<int>?[] places = [.. maps.Select((map, axis) => NewAlong(axis, map))];
        return Array.TrueForAll(places, place => place is null) ? null : new NewUnits(places);

        IReadOnlyList<int>? NewAlong(int axis, AxisMap map)
        {
            int[] added = map.NewElements(after.Axes[axis]);
            if (already?.Places?[axis] is { } elements)
            {
                long[] sources = map.SourceElements(before.Axes[axis], after.Axes[axis]);
                var known = elements.ToHashSet();
                added = [.. added.Union(Enumerable.Range(0, sources.Length).Where(i => known.Contains((int)sources[i]))).Order()];
            }

            return added.Length > 0 ? added : null;
        }
    }
}
