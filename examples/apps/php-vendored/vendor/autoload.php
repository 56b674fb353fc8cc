<?php

spl_autoload_register(function (string $class): void {
    if (str_starts_with($class, 'Harbour\\')) {
        require __DIR__ . '/harbour/pilot/src/' . substr($class, 8) . '.php';
    }
});
