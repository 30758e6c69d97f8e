using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Interop;
using Espalier.Models;
using Espalier.Torch;

namespace Espalier.SelfTest;

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

    /// <summary>A tiny model of the reference: "gpt2" or "bert".</summary>
    public Model Model(string name)
    {
        ModelConfig config = HuggingFaceConfig.Read(Resource, (JsonObject)JsonNode.Parse(_file.Metadata["models"])![name]!);
        IArchitecture architecture = config.Architecture;
        return new Model(architecture, config, new ParameterSet(architecture.Parameters(config).Select(
            spec => new Parameter(spec, ParameterSet.Trainable(this[$"{name}/param.{spec.Name}"])))));
    }

    /// <summary>What it is to read and to predict.</summary>
    public ModelBatch Batch(string name)
    {
        var input = new ModelInput(this[$"{name}/input_ids"], Optional("token_type_ids"), Optional("lengths"));
        return new ModelBatch(input, this[$"{name}/targets"], Optional("positions"));

        Tensor? Optional(string what) => Contains($"{name}/{what}") ? this[$"{name}/{what}"] : null;
    }

    public void Dispose() => _file.Dispose();

    private static ScalarType TypeOf(SafetensorsDType type) => type switch
    {
        SafetensorsDType.F32 => ScalarType.Float32,
        SafetensorsDType.I64 => ScalarType.Int64,
        _ => throw new NotSupportedException($"the reference holds no {type}"),
    };
}
