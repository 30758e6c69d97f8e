using System.Text.Json;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.Cli.SelfTest;

/// <summary>The embedded reference values, computed in double precision by tests/tools/make_op_golden.py.</summary>
internal sealed class SelfTestReference : IDisposable
{
    private const string Resource = "selftest/reference.safetensors";

    private readonly SafetensorsFile _file;
    private readonly Device _device;

    private SelfTestReference(SafetensorsFile file, Device device)
    {
        _file = file;
        _device = device;
    }

    /// <summary>A tensor, on the device under test.</summary>
    public Tensor this[string name] =>
        Tensor.FromBytes(_file.Bytes(name), [.. _file[name].Shape], TypeOf(_file[name].DType), _device);

    /// <summary>Opens the values for a device.</summary>
    public static SelfTestReference Open(Device device)
    {
        // The reader maps files; this one may lose its name as soon as it is mapped.
        string folder = Directory.CreateTempSubdirectory("espalier-").FullName;
        try
        {
            string path = Path.Combine(folder, "reference.safetensors");
            using (Stream resource = typeof(SelfTestReference).Assembly.GetManifestResourceStream(Resource)!)
            using (FileStream file = File.Create(path))
            {
                resource.CopyTo(file);
            }

            return new SelfTestReference(SafetensorsFile.Open(path), device);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Whether there is such a tensor.</summary>
    public bool Contains(string name) => _file.Contains(name);

    /// <summary>A metadata value, which is JSON.</summary>
    public JsonElement Metadata(string key) => JsonDocument.Parse(_file.Metadata[key]).RootElement;

    /// <summary>The tiny model of the reference.</summary>
    public ModelConfig Model()
    {
        JsonElement config = Metadata("config");
        return new Gpt2Config
        {
            Layers = config.GetProperty("n_layer").GetInt32(),
            HiddenSize = config.GetProperty("n_embd").GetInt32(),
            Heads = config.GetProperty("n_head").GetInt32(),
            ContextLength = config.GetProperty("n_positions").GetInt32(),
            VocabularySize = config.GetProperty("vocab_size").GetInt32(),
            LayerNormEpsilon = config.GetProperty("layer_norm_epsilon").GetDouble(),
            TiedHead = config.GetProperty("tie_word_embeddings").GetBoolean(),
        };
    }

    /// <summary>Its parameters.</summary>
    public ParameterSet Parameters(ModelConfig model) => new(Architectures.Of(model.ModelType).Parameters(model).Select(
        spec => new Parameter(spec, ParameterSet.Trainable(this["model/param." + spec.Name]))));

    public void Dispose() => _file.Dispose();

    private static ScalarType TypeOf(SafetensorsDType type) => type switch
    {
        SafetensorsDType.F32 => ScalarType.Float32,
        SafetensorsDType.I64 => ScalarType.Int64,
        _ => throw new NotSupportedException($"the reference holds no {type}"),
    };
}
