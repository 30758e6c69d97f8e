using System.Collections;
using Espalier.Torch;

namespace Espalier.Models;

/// <summary>The parameters of a model, in the order of its <see cref="IArchitecture.Parameters"/>.</summary>
public sealed class ParameterSet : IReadOnlyCollection<Parameter>, IDisposable
{
    private readonly List<Parameter> _parameters;
    private readonly Dictionary<string, Tensor> _shared = [];
    private readonly Dictionary<(int Layer, string Role), Tensor> _layered = [];

    /// <summary>A set of the given parameters, which from now on belong to it.</summary>
    public ParameterSet(IEnumerable<Parameter> parameters)
    {
        _parameters = [.. parameters];
        foreach (Parameter parameter in _parameters)
        {
            if (parameter.Spec.Layer is int layer)
            {
                _layered.Add((layer, parameter.Spec.Role), parameter.Value);
            }
            else
            {
                _shared.Add(parameter.Spec.Role, parameter.Value);
            }
        }
    }

    /// <inheritdoc/>
    public int Count => _parameters.Count;

    /// <summary>Where the tensors lie.</summary>
    public Device Device => _parameters[0].Value.Device;

    /// <summary>The number of trainable numbers.</summary>
    public long ElementCount => _parameters.Sum(parameter => parameter.Value.Count);

    /// <summary>A parameter outside of the layers.</summary>
    public Tensor this[string role] => _shared[role];

    /// <summary>A parameter of a layer.</summary>
    public Tensor this[int layer, string role] => _layered[(layer, role)];

    /// <summary>A parameter, or null where the model has none of that role.</summary>
    internal Tensor? Find(int? layer, string role) =>
        layer is int index ? _layered.GetValueOrDefault((index, role)) : _shared.GetValueOrDefault(role);

    /// <summary>Freshly initialised parameters, the same on every device, for every libtorch and number of threads.</summary>
    /// <param name="specs">What to make.</param>
    /// <param name="config">Gives the initializer range.</param>
    /// <param name="finalLayers">The depth at which the residual projections keep the stream's variance.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="device">Where to put them.</param>
    /// <param name="mup">How they go with the model's sizes; null for not at all.</param>
    public static ParameterSet Initialize(
        IReadOnlyList<ParameterSpec> specs, ModelConfig config, int finalLayers, ulong seed, Device device, Mup? mup = null)
    {
        var order = new Dictionary<string, int>();
        return new ParameterSet(specs.Select(spec =>
        {
            // Layer and role, not the place in the list, choose the random numbers: a layer starts alike at any depth.
            order.TryAdd(spec.Role, order.Count);
            var random = new CounterRandom(
                seed, RandomPurpose.Initialization, spec.Layer + 1 ?? 0, order[spec.Role]);
            return new Parameter(spec, Trainable(Initial(spec, config, mup?.BaseLayers ?? finalLayers, random, device, mup)));
        }));
    }

    /// <summary>
    /// The parameters of the model that stores every layer which a plan executes. It shares this set's tensors: dispose of
    /// this set alone.
    /// </summary>
    /// <param name="specs">The parameters of that model.</param>
    /// <param name="plan">The layer of this set for each of its layers.</param>
    public ParameterSet Unroll(IReadOnlyList<ParameterSpec> specs, ForwardPlan plan) => new(specs.Select(spec => new Parameter(
        spec, spec.Layer is int layer ? this[plan.Layers[layer].Stored, spec.Role] : this[spec.Role])));

    /// <summary>Drops all gradients, so that the next backward pass writes rather than adds.</summary>
    internal void ClearGradients()
    {
        foreach (Parameter parameter in _parameters)
        {
            parameter.Value.ClearGrad();
        }
    }

    /// <summary>Marks a tensor as one that backward passes accumulate a gradient for.</summary>
    public static Tensor Trainable(Tensor value)
    {
        value.RequiresGrad = true;
        return value;
    }

    /// <inheritdoc/>
    public IEnumerator<Parameter> GetEnumerator() => _parameters.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Frees the tensors.</summary>
    public void Dispose()
    {
        foreach (Parameter parameter in _parameters)
        {
            parameter.Value.Dispose();
        }
    }

    private static Tensor Initial(
        ParameterSpec spec, ModelConfig config, int finalLayers, CounterRandom random, Device device, Mup? mup)
    {
        double factor = mup?.InitialFactor(spec) ?? 1;
        double deviation = config.InitializerRange * factor;
        switch (spec.Initialization)
        {
            case Initialization.Zeros:
                return Tensor.Zeros(spec.Shape, device: device);
            case Initialization.Ones:
                return Tensor.Full(spec.Shape, factor, device: device);
            case Initialization.ResidualProjection:
                deviation /= Math.Sqrt(2.0 * finalLayers);
                break;
        }

        Tensor initial = Normal(spec.Shape, deviation, random, device);
        if (mup?.InitialFactors(spec, device) is not Tensor factors)
        {
            return initial;
        }

        using Tensor unscaled = initial;
        using Tensor _ = factors;
        return unscaled * factors;
    }

    /// <summary>A tensor of normal numbers, made a piece at a time: one of GPT-3's has more numbers than an array holds bytes.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="deviation">The standard deviation.</param>
    /// <param name="random">Where the numbers come from.</param>
    /// <param name="device">Where to put it.</param>
    /// <param name="piece">Numbers at a time: a multiple of 4.</param>
    internal static Tensor Normal(long[] shape, double deviation, CounterRandom random, Device device, int piece = 1 << 24)
    {
        using var scope = new TensorScope();
        Tensor value = Tensor.Empty(shape, ScalarType.Float32, device);
        Tensor flat = value.Reshape(-1);
        long count = value.Count;
        float[] numbers = [];
        for (long begin = 0; begin < count; begin += piece)
        {
            using var inner = new TensorScope();
            int length = (int)Math.Min(piece, count - begin);
            numbers = numbers.Length == length ? numbers : new float[length];
            random.FillNormal(numbers, deviation, begin);
            flat.Narrow(0, begin, length).CopyFrom(Tensor.From<float>(numbers, [length], device));
        }

        return scope.Keep(value);
    }
}
