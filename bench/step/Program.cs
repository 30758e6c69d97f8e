using System.CommandLine;
using Espalier;
using Espalier.Bench.Step;
using Espalier.Torch;

try
{
    ParseResult parsed = StepCommand.Create().Parse(args);
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (UserErrorException exception)
{
    return Fail($"{exception.Message}{(exception.Hint is null ? "" : $"\nHINT: {exception.Hint}")}");
}
catch (TorchException exception)
{
    return Fail(exception.Message);
}
catch (TypeInitializationException exception) when (exception.InnerException is TorchException inner)
{
    return Fail(inner.Message);
}
catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
{
    return Fail(exception.Message);
}

static int Fail(string message)
{
    Console.Error.WriteLine($"error: {message}");
    return 1;
}
